"""A thread for slow work: a queue of one that keeps the newest item, and tasks that are never dropped."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

from cl_localization.errors import RosError

Item = TypeVar("Item")


class Worker(Generic[Item]):
    """A thread that runs tasks in order, and processes the newest item when no task waits.

    Attributes:
        processed: number of items processed.
        dropped: number of items replaced by a newer one before they were processed.
    """

    def __init__(self, process: Callable[[Item], None], on_error: Callable[[Exception], None], name: str = "worker",
                 max_tasks: int = 1000, begin: Callable[[], None] = lambda: None,
                 turn: Callable[[], AbstractContextManager] = nullcontext) -> None:
        """Start the thread.

        Args:
            process: called with each item.
            on_error: called in the thread with exceptions of `process`; the thread continues.
            max_tasks: largest number of waiting tasks; more are refused.
            begin: called once in the thread, before all work.
            turn: context manager entered for each item, but not for tasks.
        """
        self.processed = 0
        self.dropped = 0
        self._process, self._on_error, self._max_tasks, self._begin = process, on_error, max_tasks, begin
        self._turn = turn
        self._items: deque[Item] = deque(maxlen=1)
        self._tasks: deque[tuple[Callable[[], Any], Future]] = deque()
        self._wake = threading.Condition()
        self._stopping, self._given_up = False, False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Number of waiting items and tasks (the backlog)."""
        return len(self._items) + len(self._tasks)

    def offer(self, item: Item) -> None:
        """Queue an item; one that still waits is dropped."""
        with self._wake:
            self.dropped += len(self._items)
            self._items.append(item)
            self._wake.notify()

    def run(self, task: Callable[[], Any]) -> Future:
        """Queue a task, which runs before the next item, and return the future of its result.

        The future gets an exception if the task raises, too many tasks wait, or the worker has stopped.
        """
        future: Future = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(RosError("worker", "has stopped", remedy="activate the node"))
            elif len(self._tasks) >= self._max_tasks:
                future.set_exception(RosError("worker", f"takes at most {self._max_tasks} tasks",
                                              remedy="send fewer requests at a time"))
            else:
                self._tasks.append((task, future))
                self._wake.notify()
        return future

    def stop(self, timeout_s: float = 1.5) -> bool:
        """Finish the current work and the waiting tasks, drop items, and join; return whether the thread ended in time.

        If it did not, its later errors are not reported.
        """
        with self._wake:
            self._stopping = True
            self._items.clear()
            self._wake.notify()
        self._thread.join(timeout_s)
        self._given_up = self._thread.is_alive()
        return not self._given_up

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next job; None when the worker stops and none is left."""
        with self._wake:
            self._wake.wait_for(lambda: self._tasks or self._items or self._stopping)
            if self._tasks:
                task, future = self._tasks.popleft()
                return lambda: _settle(task, future)
            return self._work_on_newest if self._items else None

    def _run(self) -> None:
        self._begin()
        while (job := self._next()) is not None:
            job()

    def _work_on_newest(self) -> None:
        with self._turn():
            with self._wake:
                if not self._items:  # dropped by `stop` during the wait for the turn
                    return
                item = self._items.popleft()
            try:
                self._process(item)
            except Exception as error:  # the thread must survive any image; the node reports the error
                if not self._given_up:
                    self._on_error(error)
            self.processed += 1


def _settle(task: Callable[[], Any], future: Future) -> None:
    try:
        future.set_result(task())
    except Exception as error:  # reported to the caller of `run`
        future.set_exception(error)
