"""How the nodes share the CPU: threads, niceness, and turns within a process."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import faiss

from cl_localization.features.engines.threads import set_threads
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.spare_time import SpareTime, has_cpu_times

Item = TypeVar("Item")

MAX_NICENESS = 19
PATIENCE_S = 0.5
"""Longest wait of the second thread for a turn while the first is always busy."""

GRACE_S = 0.005
"""Time in which the first thread can take the next turn before the second gets it."""


def settle_worker(node: ManagedNode, niceness: int = 0) -> None:
    """Set the niceness of the calling thread, a node's worker, and the number of threads of network and search.

    The parameter `threads` = 0 means all cores, or half of them with a niceness. Nodes of one process take turns on all
    cores without niceness: the first would wait for a turn of the second that gets no CPU time. Linux applies niceness
    only between the threads of one session.
    """
    cores = len(os.sched_getaffinity(0))
    is_nice = niceness > 0 and not node.shares_process
    threads = node.config.threads or (max(1, cores // 2) if is_nice else cores)
    if is_nice:
        present = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(present + niceness, MAX_NICENESS))
    set_threads(threads)
    if "torch" in sys.modules:  # not imported for this: it takes seconds, and other engines run without it
        sys.modules["torch"].set_num_threads(threads)
    faiss.omp_set_num_threads(threads)  # applies to the calling thread only


def in_spare_time(node: ManagedNode, work: Callable[[Item], None], niceness: int) -> Callable[[Item], None]:
    """Return `work` that runs in idle CPU time if there is some; unchanged without niceness."""
    if niceness == 0 or node.shares_process or not has_cpu_times():
        return work
    spare_time = SpareTime(partial(settle_worker, node, niceness))
    node.active.callback(spare_time.close)
    return spare_time.wrap(work)


class Turns:
    """Lets two threads of one process take turns, since in parallel they would only compete for Python's lock (GIL).

    The first thread has priority: it waits for at most one turn of the second. The second gets the turns that the first
    does not use, and at least one every `patience_s` seconds.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """Start with no turn taken."""
        self._patience_s = patience_s
        self._free = threading.Condition()
        self._taken = self._promised = False

    @contextmanager
    def first(self) -> Iterator[None]:
        """Take a turn as the first thread."""
        with self._free:
            self._free.wait_for(lambda: not self._taken and not self._promised)
            self._taken = True
            self._free.notify_all()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def second(self) -> Iterator[None]:
        """Take a turn as the second thread."""
        with self._free:
            if not self._wait_for_unused():
                self._promised = True
                self._free.wait_for(lambda: not self._taken)
            self._taken, self._promised = True, False
        try:
            yield
        finally:
            self._leave()

    def _wait_for_unused(self) -> bool:
        """Wait for a turn that the first does not take within `GRACE_S`; return False after `patience_s` seconds."""
        deadline_s = time.monotonic() + self._patience_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            free = self._free.wait_for(lambda: not self._taken, left_s)
            if free and not self._free.wait_for(lambda: self._taken, GRACE_S):
                return True
        return False

    def _leave(self) -> None:
        with self._free:
            self._taken = False
            self._free.notify_all()
