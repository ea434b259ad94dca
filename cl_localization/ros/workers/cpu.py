"""How the nodes share the CPU: threads, niceness, and turns within a process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import faiss
import torch

from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.spare_time import SpareTime, can_be_told

Item = TypeVar("Item")

MAX_NICENESS = 19
PATIENCE_S = 0.5
"""Longest wait of the second for a turn while the first has more work than time: so it gets two turns a second at
least."""

GRACE_S = 0.005
"""A turn that the first has not taken up again within this time is left over."""


def settle_worker(node: ManagedNode, niceness: int = 0) -> None:
    """Set up the calling thread, a node's worker, and those that its networks and searches start.

    `threads` 0 takes all cores; half of them for who has a niceness, and so gives way to others. Nodes of one process
    take turns, and have all cores in theirs; a niceness would there make the first wait for a thread that nobody lets
    finish. Linux counts niceness between the threads of a session only.
    """
    cores = len(os.sched_getaffinity(0))
    gives_way = niceness > 0 and not node.shares_process
    threads = node.config.threads or (max(1, cores // 2) if gives_way else cores)
    if gives_way:
        present = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), min(present + niceness, MAX_NICENESS))
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)  # holds for the calling thread only


def in_spare_time(node: ManagedNode, work: Callable[[Item], None], niceness: int) -> Callable[[Item], None]:
    """Return `work` done in time that nobody else wants, as long as there is some, for a node that gives way to
    others."""
    if niceness == 0 or node.shares_process or not can_be_told():
        return work
    spare_time = SpareTime(partial(settle_worker, node, niceness))
    node.active.callback(spare_time.close)
    return spare_time.wrapped(work)


class Turns:
    """Two threads of one process work by turns: side by side they would only wait for each other's hold on Python.

    The first goes first whenever it has something to do, and waits for one turn of the second at most. The second gets
    the turns that the first leaves, and one every `patience_s` seconds if it leaves none.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        """Begin with nobody at work."""
        self._patience_s = patience_s
        self._free = threading.Condition()
        self._taken = self._promised = False

    @contextmanager
    def first(self) -> Iterator[None]:
        """Work as the one who goes first."""
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
        """Work as the one who goes second."""
        with self._free:
            if not self._left_over():
                self._promised = True
                self._free.wait_for(lambda: not self._taken)
            self._taken, self._promised = True, False
        try:
            yield
        finally:
            self._leave()

    def _left_over(self) -> bool:
        """Wait until the first leaves a turn, which it has `GRACE_S` seconds to take up again; return False when
        patience ends."""
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
