"""Work in the time that nobody else wants, as long as there is such time.

A niceness leaves the learner a share of the CPU, and it holds a core for some milliseconds whenever it gets one: a
localizer that needs nine tenths of the time between two images is then late for the next. Linux runs SCHED_IDLE only
where nothing else wants to run, and takes the core away at once. But on a CPU that is never idle such a thread stands
still, with whatever locks it holds, and without privileges it cannot be called back: so work goes there only while the
CPU was seen to have time to spare.
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
"""Share of the machine that must have been idle, or ours."""

MIN_GOT = 0.2
"""A thread that got a core in less than this share of the time in which it wanted one has met somebody who takes
all."""

LOOK_S, AVOID_S = 0.5, 10.0
NANOSECONDS = 1e9
IDLE_FIELDS = slice(3, 5)
"""Of the numbers in /proc/stat: idle, and waiting for a disk."""


class SpareTime:
    """A thread of the least priority, and when to use it."""

    def __init__(self, begin: Callable[[], None], now_s: Callable[[], float] = time.monotonic,
                 idle_s: Callable[[], float] = lambda: idle_seconds(),
                 thread_s: Callable[[], tuple[float, float]] = lambda: thread_seconds()) -> None:
        """Make the thread; `begin` is called in it first. The rest are the clocks it goes by."""
        self._now_s, self._idle_s, self._thread_s = now_s, idle_s, thread_s
        self._cores = len(os.sched_getaffinity(0))
        self._thread = ThreadPoolExecutor(1, "spare time", initializer=_settle, initargs=(begin,))
        self._ours_s = 0.0
        self._seen = now_s(), self._idle_s()
        self._spare, self._avoid_until_s = False, 0.0

    def close(self) -> None:
        """End the thread when it has done what it does."""
        self._thread.shutdown(wait=False)

    def wrapped(self, work: Callable[[Item], None]) -> Callable[[Item], None]:
        """Return `work` done in the thread if there is time to spare, else by the caller, who waits for it in either
        case."""
        def done(item: Item) -> None:
            if self.there_is():
                self._thread.submit(self._timed, work, item).result()
            else:
                work(item)
        return done

    def there_is(self) -> bool:
        """Return whether the CPU had time to spare of late."""
        (then_s, idle_then_s), now_s = self._seen, self._now_s()
        if now_s - then_s >= LOOK_S:
            idle_s = self._idle_s()
            self._spare = idle_s - idle_then_s + self._ours_s >= MIN_SPARE * (now_s - then_s) * self._cores
            self._seen, self._ours_s = (now_s, idle_s), 0.0
        return self._spare and now_s >= self._avoid_until_s

    def _timed(self, work: Callable[[Item], None], item: Item) -> None:
        before_s = self._thread_s()
        try:
            work(item)
        finally:
            got_s, waited_s = (after - before for after, before in zip(self._thread_s(), before_s))
            self._ours_s += got_s
            if got_s + waited_s > LOOK_S and got_s < MIN_GOT * (got_s + waited_s):
                self._avoid_until_s = self._now_s() + AVOID_S


def idle_seconds(path: Path = Path("/proc/stat")) -> float:
    """Return the seconds that all cores together have been idle since the start of the machine."""
    numbers = path.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    return sum(int(number) for number in numbers[IDLE_FIELDS]) / os.sysconf("SC_CLK_TCK")


def thread_seconds() -> tuple[float, float]:
    """Return for how many seconds the calling thread has had a core, and for how many it has waited for one, which
    nobody else shows."""
    ran_ns, waited_ns, _ = (
        Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text(encoding="ascii").split()
    )
    return int(ran_ns) / NANOSECONDS, int(waited_ns) / NANOSECONDS


def can_be_told(proc: Path = Path("/proc")) -> bool:
    """Return whether this kernel tells what the two functions above ask of it; some sandboxes do not."""
    return (proc / "stat").exists() and (proc / "self/schedstat").exists()


def _settle(begin: Callable[[], None]) -> None:
    begin()
    with suppress(PermissionError):  # where a sandbox forbids it, the niceness of the thread remains
        os.sched_setscheduler(threading.get_native_id(), os.SCHED_IDLE, os.sched_param(0))
