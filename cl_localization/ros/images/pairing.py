"""Pairs messages of several topics by timestamp, and tells which timestamps are believed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

AHEAD_NS = 10_000_000_000
"""An image whose timestamp is further ahead of the last one waits for another that agrees."""


class Pairing:
    """Hands over sets of messages, one of each topic, with timestamps within `slop_ns` of the last to arrive.

    The queues drop the message that arrived first, not the oldest timestamp as message_filters does: there a message
    with a timestamp far in the future, or a clock that jumps back, blocks the queue for good.

    Attributes:
        topics: number of topics; they are numbered from 0.
    """

    def __init__(self, topics: int, slop_ns: int, queue_size: int, hand_over: Callable[..., None]) -> None:
        """Start empty; `hand_over` gets the messages in the order of the topics."""
        self.topics = topics
        self._slop_ns, self._hand_over = slop_ns, hand_over
        self._waiting: list[deque[tuple[int, Any]]] = [deque(maxlen=queue_size) for _ in range(topics)]

    def add(self, topic: int, stamp_ns: int, message: Any) -> bool:
        """Add a message of a topic, by number; return whether it completed a set."""
        found = [(stamp_ns, message) if number == topic else self._nearest(number, stamp_ns)
                 for number in range(len(self._waiting))]
        chosen = [entry for entry in found if entry is not None]
        if len(chosen) < len(found):
            self._waiting[topic].append((stamp_ns, message))
            return False
        for number, entry in enumerate(chosen):
            if number != topic:
                self._forget(number, entry)
        self._hand_over(*(entry[1] for entry in chosen))
        return True

    def _nearest(self, topic: int, stamp_ns: int) -> tuple[int, Any] | None:
        near = [entry for entry in self._waiting[topic] if abs(entry[0] - stamp_ns) < self._slop_ns]
        return min(near, key=lambda entry: abs(entry[0] - stamp_ns), default=None)

    def _forget(self, topic: int, taken: tuple[int, Any]) -> None:
        waiting = self._waiting[topic]
        del waiting[next(place for place, entry in enumerate(waiting) if entry is taken)]


class StampGuard:
    """Decides which images' timestamps are believed; not thread-safe."""

    def __init__(self) -> None:
        self._last_ns: int | None = None
        self._stray_ns = 0

    def jump_ns(self, stamp_ns: int) -> int:
        """Return by how much a timestamp jumps ahead without another that confirms it; 0 for one to believe.

        It confirms the one before if it follows that no later than that followed the last believed one: images that
        come seldom do so all the time.
        """
        if stamp_ns == 0:  # none at all, which the tracker refuses
            return 0
        last_ns, ahead_ns = self._last_ns, 0 if self._last_ns is None else stamp_ns - self._last_ns
        if last_ns is not None and ahead_ns > AHEAD_NS:
            allowed_ns = max(AHEAD_NS, self._stray_ns - last_ns)
            if not 0 < stamp_ns - self._stray_ns <= allowed_ns:
                self._stray_ns = stamp_ns
                return ahead_ns
        self._last_ns, self._stray_ns = stamp_ns, 0
        return 0
