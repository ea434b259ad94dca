"""Slow work leaves the callbacks: one thread, a queue of one that keeps the newest item, and tasks that are never
dropped."""

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
    """A thread that owns what is not thread-safe: it does tasks in order, and between them the newest item.

    Attributes:
        processed: items worked on.
        dropped: items that were replaced by a newer one before their turn.
    """

    def __init__(self, process: Callable[[Item], None], on_error: Callable[[Exception], None], name: str = "worker",
                 max_tasks: int = 1000, begin: Callable[[], None] = lambda: None,
                 turn: Callable[[], AbstractContextManager] = nullcontext) -> None:
        """Start the thread.

        Args:
            process: called with each item.
            on_error: called in the thread with what `process` raised; the thread goes on.
            max_tasks: more tasks than this waiting are refused.
            begin: called once in the thread, before all work.
            turn: gives what is entered before an item is taken, and left when it is done; tasks do not wait for it.
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
        """How many items and tasks wait for their turn."""
        return len(self._items) + len(self._tasks)

    def offer(self, item: Item) -> None:
        """Hand over an item; one that still waits is dropped for it."""
        with self._wake:
            self.dropped += len(self._items)
            self._items.append(item)
            self._wake.notify()

    def run(self, task: Callable[[], Any]) -> Future:
        """Have a task done before the next item and return the future of its result.

        A task that raises, too many tasks and a stopped worker end up as the future's exception.
        """
        future: Future = Future()
        with self._wake:
            if self._stopping:
                future.set_exception(RosError("worker", "has stopped", remedy="activate the node"))
            elif len(self._tasks) >= self._max_tasks:
                future.set_exception(RosError("worker", f"takes at most {self._max_tasks} tasks",
                                              remedy="send less at once"))
            else:
                self._tasks.append((task, future))
                self._wake.notify()
        return future

    def stop(self, timeout_s: float = 1.5) -> bool:
        """Finish the work at hand and the tasks that wait, drop items, and join. Return whether the thread ended in
        time.

        Of one that did not, no more is heard: what it works with may be gone by then.
        """
        with self._wake:
            self._stopping = True
            self._items.clear()
            self._wake.notify()
        self._thread.join(timeout_s)
        self._given_up = self._thread.is_alive()
        return not self._given_up

    def _next(self) -> Callable[[], None] | None:
        """Wait for something to do; None when there is nothing and the worker stops."""
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
                if not self._items:  # dropped by `stop` while this waited for its turn
                    return
                item = self._items.popleft()
            try:
                self._process(item)
            except Exception as error:  # the thread must outlive whatever one image does to it; the node reports it
                if not self._given_up:
                    self._on_error(error)
            self.processed += 1


def _settle(task: Callable[[], Any], future: Future) -> None:
    try:
        future.set_result(task())
    except Exception as error:  # belongs to whoever asked for the task
        future.set_exception(error)
