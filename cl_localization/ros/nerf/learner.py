"""A thread that learns a radiance field in a share of the time, and gives way to all others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from cl_localization.data.frame import Frame
from cl_localization.errors import RosError
from cl_localization.nerf.live import LiveField
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.cpu import MAX_NICENESS, settle_worker
from cl_localization.ros.workers.spare_time import SpareTime, can_be_told
from cl_localization.ros.workers.worker import Worker

TICK_S = 0.1
SLICE_S = 0.1
"""Longest time that is learned at once: a localizer in the same process waits so long for its turn, or as long as
taking a keyframe."""

SCARCE_PRICE = 4.0
"""Where nobody leaves time to spare, a second counts as so many: a thread that gets no core still holds up the others
of its process."""

LONGEST_REST_S = 0.1
SAVED_UP_S = 1.0
"""Time not used is kept up to this."""

WAITING = 32
"""Keyframes that wait to be taken; of more, every second one goes."""


@dataclass(frozen=True, eq=False)
class Keyframe:
    """What the field takes; see `LiveField.add`."""

    frame: Frame
    points_m: np.ndarray | None = None


class Life:
    """A field with what waits for it, from one reset to the next.

    Attributes:
        field: learned by one thread only.
        owner: the map and scene that it lies beside.
        next_step: at which it takes another keyframe.
        size_bytes: what the field takes.
    """

    def __init__(self, field: LiveField, owner: str = "") -> None:
        """Begin with nothing that waits."""
        self.field, self.owner = field, owner
        self.next_step = self.size_bytes = 0
        self._waiting: list[Keyframe] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many keyframes wait."""
        return len(self._waiting)

    def offer(self, keyframe: Keyframe) -> None:
        """Have a keyframe wait, from any thread; when too many do, those that stay cover the same time more thinly."""
        with self._lock:
            if len(self._waiting) >= WAITING:
                del self._waiting[::2]
            self._waiting.append(keyframe)

    def newest(self) -> Keyframe:
        """Return the newest keyframe that waits, which then waits no more."""
        with self._lock:
            return self._waiting.pop()


class TimeBudget:
    """Seconds that may be spent, of which `share` come in every second."""

    def __init__(self, share: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._share, self._now_s = share, now_s
        self.left_s, self._seen_s = 0.0, now_s()

    def earn(self) -> float:
        """Return what may be spent now."""
        now_s = self._now_s()
        self.left_s = min(self.left_s + self._share * (now_s - self._seen_s), SAVED_UP_S)
        self._seen_s = now_s
        return self.left_s

    @contextmanager
    def spending(self, price: float = 1.0) -> Iterator[None]:
        """Take off the time that what is inside takes, times a price."""
        began_s = self._now_s()
        try:
            yield
        finally:
            self.left_s -= price * (self._now_s() - began_s)


class NerfLearner:
    """Learns in a thread of its own, between what it is asked to do there.

    Attributes:
        life: the field in use; set another to begin anew, from any thread.
        ended: whether the thread has ended: nobody works on the field any more.
    """

    def __init__(self, node: ManagedNode, life: Life, may_learn: Callable[[], bool]) -> None:
        """Start the thread, which ends when the node is deactivated; `may_learn` says whether to learn just now."""
        self.life, self.ended = life, False
        self._node, self._may_learn = node, may_learn
        self._budget = TimeBudget(node.config.nerf.seconds_per_second)
        self._stopping, self._asked, self._problems = threading.Event(), set[str](), dict[str, str]()
        niceness = MAX_NICENESS if node.config.niceness else 0
        begin = partial(_settle, node, niceness)
        self._in_spare_time: Callable[[Callable[[], Any]], Any] = lambda work: work()
        self._price: Callable[[], float] = lambda: 1.0
        if niceness and not node.shares_process and can_be_told():
            spare_time = SpareTime(begin)
            node.active.callback(spare_time.close)
            self._in_spare_time = spare_time.wrapped(lambda work: work())
            self._price = lambda: 1.0 if spare_time.there_is() else SCARCE_PRICE
        self._worker: Worker[None] = Worker(lambda _: None, node.report, "nerf", begin=begin)
        node.active.callback(self.stop)
        node.every(TICK_S, lambda: self._do("learn", self._learn))

    @property
    def problem(self) -> str:
        """What went wrong of late; empty when all is well."""
        return "; ".join(self._problems.copy().values())

    def stop(self) -> None:
        """End the thread after the step it makes."""
        self._stopping.set()
        self.ended = self._worker.stop()

    def ask(self, name: str, work: Callable[[], Any]) -> None:
        """Have something done in the thread, in spare time, unless what was asked for under this name still waits.

        Failures are reported, and are a problem until the same goes well.
        """
        def solved() -> None:
            work()
            self._problems.pop(name, None)
        self._do(name, solved)

    def _do(self, name: str, work: Callable[[], Any]) -> None:
        if name in self._asked:
            return
        self._asked.add(name)

        def done() -> Any:
            self._asked.discard(name)
            return self._in_spare_time(work)
        self._worker.run(done).add_done_callback(partial(self._note, name))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Surround a piece of work in the thread; raises RosError when the thread is to end."""
        if self._stopping.is_set():
            raise RosError("radiance field", "must be in use", "the node stops")
        with self._node.turn():
            yield

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """As `turn`, and rest afterwards for as long as the work took: a mapper beside it misses no image."""
        began_s = time.monotonic()
        with self.turn():
            yield
        self._stopping.wait(min(time.monotonic() - began_s, LONGEST_REST_S))

    def _learn(self) -> None:
        """Thread: take a keyframe, or learn for a moment, if there is time."""
        life = self.life
        if self._budget.earn() <= 0 or not self._may_learn() or not (len(life) or life.field.keyframes):
            return
        with self.turn(), self._budget.spending(self._price()):
            if len(life) and life.field.steps >= life.next_step:
                keyframe = life.newest()
                life.field.add(keyframe.frame, keyframe.points_m)
                life.next_step = life.field.steps + life.field.config.settle_steps
            else:
                life.field.learn(min(SLICE_S, self._budget.left_s), self._stopping.is_set)
            life.size_bytes = life.field.size_bytes
        self._problems.pop("learn", None)

    def _note(self, name: str, future: Future) -> None:
        error = future.exception()
        if error is not None and not self._stopping.is_set():
            self._problems[name] = f"radiance field: {error}"
            self._node.report(error)


def _settle(node: ManagedNode, niceness: int) -> None:
    """Give the calling thread the least priority, and keep what it starts to one core."""
    settle_worker(node, niceness)
    torch.set_num_threads(1)
