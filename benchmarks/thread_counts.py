"""The table of `bench speed` that says on how many threads the network should run beside busy programs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from benchmarks.table import BenchTable
from cl_localization.config import EncoderConfig
from cl_localization.data.frame import Frame
from cl_localization.features.engines import make_engine, set_threads

HEADERS = ("busy programs", "threads", "p50 [ms]", "p95 [ms]", "longest [ms]")
BUSY, THREADS, ROUNDS = (0, 1, 2), (1, 2), 4
BUSY_LOOP = "while True: pass"


def thread_table(config: EncoderConfig, frames: list[Frame]) -> BenchTable:
    """Return how long the network takes for an image, on one and on two threads in turn, beside programs that never
    rest."""
    engine = make_engine(config)
    greys = [cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames]
    rows, results = [], []
    try:
        for programs in BUSY:
            times_ms: dict[int, list[float]] = {count: [] for count in THREADS}
            with busy(programs):
                for count in THREADS * ROUNDS:
                    set_threads(count)
                    engine.run(greys[0])  # makes it anew for so many threads
                    for grey in greys:
                        started_s = time.perf_counter()
                        engine.run(grey)
                        times_ms[count].append(1e3 * (time.perf_counter() - started_s))
            for count, found_ms in times_ms.items():
                cells = [*np.percentile(found_ms, (50, 95)), max(found_ms)]
                rows.append((str(programs), str(count), *(f"{cell:.0f}" for cell in cells)))
                results.append({"busy": programs, "threads": count, "ms": found_ms})
    finally:
        set_threads(0)
    return BenchTable(f"threads of {engine.name}, by the clock", HEADERS, rows, results={"threads": results})


@contextmanager
def busy(programs: int) -> Iterator[None]:
    """Keep so many cores busy meanwhile."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(programs)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
