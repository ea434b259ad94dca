"""How the nodes share the CPU: threads, niceness, turns within a process, and idle CPU time while there is some.

A nice thread still gets a share of the CPU in slices of some milliseconds, which delays a localizer that needs 90 % of
the time between two images. A SCHED_IDLE thread runs only when no other thread wants the core, and is preempted at
once. But on a CPU that is never idle it stops, together with the locks it holds, and cannot be raised again without
privileges: so it is used only while the CPU was recently idle.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import faiss

from cl_localization.features.engines import set_threads
from cl_localization.ros.nodes.managed_node import ManagedNode

Item = TypeVar("Item")

MIN_SPARE = 0.1
"""Least share of all cores that was idle or used by this thread."""

MIN_GOT = 0.2
"""Least share of the time it was ready in which the thread ran; below it, the CPU counts as never idle."""

LOOK_S, AVOID_S = 0.5, 10.0
NANOSECONDS = 1e9
IDLE_FIELDS = slice(3, 5)
"""Positions of idle and iowait in the first line of /proc/stat."""


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


class SpareTime:
    """A SCHED_IDLE thread that is used while the CPU has idle time."""

    def __init__(self, begin: Callable[[], None], now_s: Callable[[], float] = time.monotonic,
                 idle_s: Callable[[], float] = lambda: idle_seconds(),
                 thread_s: Callable[[], tuple[float, float]] = lambda: thread_seconds()) -> None:
        """Create the thread; `begin` is called in it first. The other arguments are clocks."""
        self._now_s, self._idle_s, self._thread_s = now_s, idle_s, thread_s
        self._cores = len(os.sched_getaffinity(0))
        self._thread = ThreadPoolExecutor(1, "spare time", initializer=_settle, initargs=(begin,))
        self._ours_s = 0.0
        self._seen = now_s(), self._idle_s()
        self._spare, self._avoid_until_s = False, 0.0

    def close(self) -> None:
        """End the thread after its current work."""
        self._thread.shutdown(wait=False)

    def wrap(self, work: Callable[[Item], None]) -> Callable[[Item], None]:
        """Return `work(item)` that runs in the thread if there is idle time, else in the caller; it always blocks."""
        def run(item: Item) -> None:
            if self.is_available():
                self._thread.submit(self._run, work, item).result()
            else:
                work(item)
        return run

    def is_available(self) -> bool:
        """Return whether the CPU was recently idle."""
        (then_s, idle_then_s), now_s = self._seen, self._now_s()
        if now_s - then_s >= LOOK_S:
            idle_s = self._idle_s()
            self._spare = idle_s - idle_then_s + self._ours_s >= MIN_SPARE * (now_s - then_s) * self._cores
            self._seen, self._ours_s = (now_s, idle_s), 0.0
        return self._spare and now_s >= self._avoid_until_s

    def _run(self, work: Callable[[Item], None], item: Item) -> None:
        before_s = self._thread_s()
        try:
            work(item)
        finally:
            got_s, waited_s = (after - before for after, before in zip(self._thread_s(), before_s))
            self._ours_s += got_s
            if got_s + waited_s > LOOK_S and got_s < MIN_GOT * (got_s + waited_s):
                self._avoid_until_s = self._now_s() + AVOID_S


def idle_seconds(path: Path = Path("/proc/stat")) -> float:
    """Return the idle time of all cores since boot, in seconds."""
    numbers = path.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(int(number) for number in numbers[IDLE_FIELDS]) / os.sysconf("SC_CLK_TCK")


def thread_seconds() -> tuple[float, float]:
    """Return for how many seconds the calling thread has run, and for how many it was ready but waited for a core."""
    ran_ns, waited_ns, _ = (
        Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text(encoding="ascii").split()
    )
    return int(ran_ns) / NANOSECONDS, int(waited_ns) / NANOSECONDS


def has_cpu_times(proc: Path = Path("/proc")) -> bool:
    """Return whether the kernel provides the files read above; in some sandboxes it does not."""
    return (proc / "stat").exists() and (proc / "self/schedstat").exists()


def _settle(begin: Callable[[], None]) -> None:
    begin()
    with suppress(PermissionError):  # a sandbox may forbid it; the thread then keeps its niceness
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
