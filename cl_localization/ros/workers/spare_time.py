"""Runs work in idle CPU time (SCHED_IDLE) while there is some.

A nice thread still gets a share of the CPU in slices of some milliseconds, which delays a localizer that needs 90 % of
the time between two images. A SCHED_IDLE thread runs only when no other thread wants the core, and is preempted at
once. But on a CPU that is never idle it stops, together with the locks it holds, and cannot be raised again without
privileges: so it is used only while the CPU was recently idle.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

MIN_SPARE = 0.1
"""Least share of all cores that was idle or used by this thread."""

MIN_GOT = 0.2
"""Least share of the time it was ready in which the thread ran; below it, the CPU counts as never idle."""

LOOK_S, AVOID_S = 0.5, 10.0
NANOSECONDS = 1e9
IDLE_FIELDS = slice(3, 5)
"""Positions of idle and iowait in the first line of /proc/stat."""


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
