"""A low-priority thread that trains a radiance field, within a budget of CPU time."""

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
from cl_localization.ros.workers.cpu import MAX_NICENESS, SpareTime, has_cpu_times, settle_worker
from cl_localization.ros.workers.worker import Worker

TICK_S = 0.1
SLICE_S = 0.1
"""Longest time of training without a pause; a localizer in the same process waits this long for its turn."""

SCARCE_PRICE = 4.0
"""Factor on the time spent while the CPU is never idle: the thread then delays the others of its process."""

LONGEST_REST_S = 0.1
SAVED_UP_S = 1.0
"""Largest unused budget that is kept."""

WAITING = 32
"""Largest number of waiting keyframes; when it is reached, every second one is dropped."""


@dataclass(frozen=True, eq=False)
class Keyframe:
    """Arguments of `LiveField.add`."""

    frame: Frame
    points_m: np.ndarray | None = None


class Life:
    """A field and its waiting keyframes, from one reset to the next.

    Attributes:
        field: used by one thread only.
        owner: the map_id and scene that it belongs to.
        next_step: training step at which it takes another keyframe.
        size_bytes: memory of the field.
    """

    def __init__(self, field: LiveField, owner: str = "") -> None:
        """Start without waiting keyframes."""
        self.field, self.owner = field, owner
        self.next_step = self.size_bytes = 0
        self._waiting: list[Keyframe] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of waiting keyframes."""
        return len(self._waiting)

    def offer(self, keyframe: Keyframe) -> None:
        """Add a waiting keyframe, thread-safe; when there are too many, every second one is dropped."""
        with self._lock:
            if len(self._waiting) >= WAITING:
                del self._waiting[::2]
            self._waiting.append(keyframe)

    def newest(self) -> Keyframe:
        """Remove and return the newest waiting keyframe."""
        with self._lock:
            return self._waiting.pop()


class TimeBudget:
    """A budget of seconds that grows by `share` seconds per second."""

    def __init__(self, share: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._share, self._now_s = share, now_s
        self.left_s, self._seen_s = 0.0, now_s()

    def earn(self) -> float:
        """Update and return the budget [s]."""
        now_s = self._now_s()
        self.left_s = min(self.left_s + self._share * (now_s - self._seen_s), SAVED_UP_S)
        self._seen_s = now_s
        return self.left_s

    @contextmanager
    def spend(self, price: float = 1.0) -> Iterator[None]:
        """Subtract the time spent inside the context, times a price."""
        began_s = self._now_s()
        try:
            yield
        finally:
            self.left_s -= price * (self._now_s() - began_s)


class NerfLearner:
    """Trains in a thread, between other tasks for that thread.

    Attributes:
        life: the field in use; may be replaced from any thread.
        ended: whether the thread has ended, so that no other thread uses the field.
    """

    def __init__(self, node: ManagedNode, life: Life, may_learn: Callable[[], bool]) -> None:
        """Start the thread, which ends when the node is deactivated; `may_learn` returns whether to train now."""
        self.life, self.ended = life, False
        self._node, self._may_learn = node, may_learn
        self._budget = TimeBudget(node.config.nerf.seconds_per_second)
        self._stopping, self._asked, self._problems = threading.Event(), set[str](), dict[str, str]()
        niceness = MAX_NICENESS if node.config.niceness else 0
        begin = partial(_settle, node, niceness)
        self._in_spare_time: Callable[[Callable[[], Any]], Any] = lambda work: work()
        self._price: Callable[[], float] = lambda: 1.0
        if niceness and not node.shares_process and has_cpu_times():
            spare_time = SpareTime(begin)
            node.active.callback(spare_time.close)
            self._in_spare_time = spare_time.wrap(lambda work: work())
            self._price = lambda: 1.0 if spare_time.is_available() else SCARCE_PRICE
        self._worker: Worker[None] = Worker(lambda _: None, node.report, "nerf", begin=begin)
        node.active.callback(self.stop)
        node.every(TICK_S, lambda: self._do("learn", self._learn))

    @property
    def problem(self) -> str:
        """Messages of tasks whose last run failed; empty for none."""
        return "; ".join(self._problems.copy().values())

    def stop(self) -> None:
        """End the thread after its current step."""
        self._stopping.set()
        self.ended = self._worker.stop()

    def ask(self, name: str, work: Callable[[], Any]) -> None:
        """Run a task in the thread, in spare time, unless one with the same name is still waiting.

        A failure is reported, and stays in `problem` until a task with this name succeeds.
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
        """Hold the node's turn during a piece of work in the thread; raises RosError if the thread shall end."""
        if self._stopping.is_set():
            raise RosError("radiance field", "must be in use", "the node stops")
        with self._node.turn():
            yield

    @contextmanager
    def turn_and_rest(self) -> Iterator[None]:
        """As `turn`, then pause for as long as the work took, so that the mapper drops no image."""
        began_s = time.monotonic()
        with self.turn():
            yield
        self._stopping.wait(min(time.monotonic() - began_s, LONGEST_REST_S))

    def _learn(self) -> None:
        """Thread: add a waiting keyframe, or train for a moment, if the budget allows it."""
        life = self.life
        if self._budget.earn() <= 0 or not self._may_learn() or not (len(life) or life.field.keyframes):
            return
        with self.turn(), self._budget.spend(self._price()):
            if len(life) and life.field.steps >= life.next_step:
                keyframe = life.newest()
                life.field.add(keyframe.frame, keyframe.points_m)
                life.next_step = life.field.steps + life.field.learns * life.field.config.settle_steps
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
    """Give the calling thread the lowest priority, and PyTorch a single thread."""
    settle_worker(node, niceness)
    torch.set_num_threads(1)
