"""What a node says of itself on /diagnostics: one status with a level, rates, latency, drops and memory.

| level | means |
|---|---|
| OK | it works |
| WARN | it works, and something is not as it should be: the message says what |
| ERROR | there is a problem, and no image has been worked on for a while |
| STALE | the node is not active; an aggregator also takes a node that says nothing for that |
"""

from __future__ import annotations

import math
import os
import platform
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from cl_localization.ros.conversions import time_message
from cl_localization.ros.nodes.managed_node import ManagedNode

WINDOW_S = 10.0
MAX_SAMPLES = 10_000
MS_PER_S, BYTES_PER_MB = 1000.0, 1_000_000


class Window:
    """Numbers of the last seconds: how often they came, and their percentiles."""

    def __init__(self, length_s: float = WINDOW_S, now_s: Callable[[], float] = time.monotonic) -> None:
        """Remember numbers for `length_s` seconds of the clock `now_s`, `MAX_SAMPLES` at most."""
        self._length_s, self._now_s = length_s, now_s
        self._started_s = now_s()
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def add(self, value: float) -> None:
        """Take a number, from any thread."""
        self._samples.append((self._now_s(), value))

    def values(self) -> list[float]:
        """Return the numbers of the window, oldest first."""
        since_s = self._now_s() - self._length_s
        return [value for came_s, value in tuple(self._samples) if came_s >= since_s]

    def percentile(self, percent: float) -> float:
        """Return a percentile, NaN without numbers."""
        values = self.values()
        return float(np.percentile(values, percent)) if values else math.nan


class Rates:
    """How fast counters grow, over the last seconds."""

    def __init__(self, length_s: float = WINDOW_S, now_s: Callable[[], float] = time.monotonic) -> None:
        """Average over `length_s` seconds of the clock `now_s`."""
        self._length_s, self._now_s = length_s, now_s
        self._counts: dict[str, deque[tuple[float, int]]] = {}

    def hz(self, name: str, count: int) -> float:
        """Return the growth a second of the counter `name`, which is at `count` now; NaN the first time.

        A counter that was set back, by a restart of what it counts, begins anew.
        """
        counts, now_s = self._counts.setdefault(name, deque()), self._now_s()
        if counts and count < counts[-1][1]:
            counts.clear()
        counts.append((now_s, count))
        while len(counts) > 2 and (now_s - counts[1][0] >= self._length_s or len(counts) > MAX_SAMPLES):
            counts.popleft()
        first_s, first = counts[0]
        passed_s = now_s - first_s
        return (count - first) / passed_s if passed_s > 0 else math.nan


class NodeDiagnostics:
    """The status of one node on /diagnostics.

    Attributes:
        latency_s: from the arrival of each item to the end of its work.
    """

    def __init__(self, node: ManagedNode) -> None:
        """Publish for `node` while it is active, and say STALE when it no longer is."""
        self.latency_s = Window()
        self._node, self._rates = node, Rates()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.active.callback(self._close)

    def timed(self, work: Callable[[Any], None]) -> Callable[[Any], None]:
        """Return `work` for items with `arrived_s`, noting their latency."""
        def noted(item: Any) -> None:
            try:
                work(item)
            finally:
                self.latency_s.add(time.monotonic() - item.arrived_s)
        return noted

    def publish(self, problem: str, counts: dict[str, int], values: dict[str, object], worked_on: str) -> None:
        """Say how the node is.

        Args:
            problem: what is not as it should be; empty when all is well.
            counts: counters, said with the rate at which they grow.
            values: what else is said.
            worked_on: the counter that stands still in a node that does not work.
        """
        rates = {f"{name} [Hz]": self._rates.hz(name, count) for name, count in counts.items()}
        works = rates[f"{worked_on} [Hz]"] != 0.0
        level = DiagnosticStatus.OK if not problem else DiagnosticStatus.WARN if works else DiagnosticStatus.ERROR
        latency_ms = {f"latency p{percent} [ms]": self.latency_s.percentile(percent) * MS_PER_S for percent in (50, 95)}
        self._say(level, problem or "OK", {**counts, **rates, **latency_ms, **values, "memory [MB]": memory_mb()})

    def _close(self) -> None:
        if self._node.context.ok():
            self._say(DiagnosticStatus.STALE, "not active", {})
        self._node.destroy_publisher(self._publisher)

    def _say(self, level: bytes, message: str, values: dict[str, object]) -> None:
        status = DiagnosticStatus(level=level, name=self._node.get_fully_qualified_name(), message=message,
                                  hardware_id=platform.node(),
                                  values=[KeyValue(key=key, value=_text(value)) for key, value in values.items()])
        array = DiagnosticArray(status=[status])
        array.header.stamp = time_message(self._node.get_clock().now().nanoseconds)
        self._publisher.publish(array)


def memory_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / BYTES_PER_MB


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
