"""Sets of messages, one from each filter, whose stamps are equal or close."""

from __future__ import annotations

import itertools
import threading
from typing import Any, Sequence

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

from message_filters.filters import SimpleFilter


class TimeSynchronizer(SimpleFilter):
    """Calls back with the messages whose stamps are equal.

    Args:
        fs: filters whose messages have a header.
        queue_size: messages kept of each filter while the others are awaited; of more, the lowest stamps go.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs: Sequence[SimpleFilter]) -> None:  # noqa: N802, the real name
        """Listen to the filters."""
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self.input_connections = [f.registerCallback(self.add, queue, i) for i, (f, queue) in enumerate(zip(fs, self.queues))]

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int) -> None:
        """Take a message of one filter; the callbacks run while our lock is held."""
        with self.lock:
            self._store(msg, Time.from_msg(msg.header.stamp).nanoseconds, my_queue)
            for stamp_ns in sorted(set.intersection(*map(set, self.queues))):
                self._emit([stamp_ns] * len(self.queues))

    def _store(self, msg: Any, stamp_ns: int, queue: dict[int, Any]) -> None:
        queue[stamp_ns] = msg
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _emit(self, stamps_ns: Sequence[int]) -> None:
        self.signalMessage(*(queue[stamp_ns] for queue, stamp_ns in zip(self.queues, stamps_ns)))
        for queue, stamp_ns in zip(self.queues, stamps_ns):
            del queue[stamp_ns]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Calls back with messages whose stamps all lie less than `slop` seconds apart, the nearest to the new one first.

    Args:
        fs, queue_size: see TimeSynchronizer.
        slop: bound of the spread in seconds, itself excluded.
        allow_headerless: give messages without a header the present time, instead of refusing them.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float, allow_headerless: bool = False) -> None:
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless
        super().__init__(fs, queue_size)

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int) -> None:
        """Take a message of one filter; the callbacks run while our lock is held."""
        stamp_ns = self._stamp_ns(msg)
        if stamp_ns is None:
            get_logger("message_filters_approx").warning("can not use messages without stamp unless allow_headerless is set")
            return
        with self.lock:
            self._store(msg, stamp_ns, my_queue)
            near = [[stamp_ns] if i == my_queue_index else self._near(queue, stamp_ns) for i, queue in enumerate(self.queues)]
            for stamps_ns in itertools.product(*near):
                if max(stamps_ns) - min(stamps_ns) < self.slop.nanoseconds and self._all_stored(stamps_ns):
                    self._emit(stamps_ns)
                    return

    def _near(self, queue: dict[int, Any], stamp_ns: int) -> list[int]:
        """Return the stamps of a queue that may go with a new one, nearest first."""
        candidates = [other_ns for other_ns in queue if abs(other_ns - stamp_ns) <= self.slop.nanoseconds]
        return sorted(candidates, key=lambda other_ns: abs(other_ns - stamp_ns))

    def _all_stored(self, stamps_ns: Sequence[int]) -> bool:
        """Return whether all are there: the new message itself may be the one that a full queue dropped."""
        return all(stamp_ns in queue for queue, stamp_ns in zip(self.queues, stamps_ns))

    def _stamp_ns(self, msg: Any) -> int | None:
        stamp = getattr(getattr(msg, "header", None), "stamp", None)
        if stamp is not None:
            return stamp.nanoseconds if hasattr(stamp, "nanoseconds") else Time.from_msg(stamp).nanoseconds
        return ROSClock().now().nanoseconds if self.allow_headerless else None
