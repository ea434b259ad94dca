"""Memory and latency of real node processes that map and localize at full rate for a long time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from benchmarks.load import LEARN_EVERYTHING, READY_S, PlayedNodes, Shown
from cl_localization.data.stamps import NS_PER_S

BYTES_PER_MB = 1_000_000
NODES = ("localizer", "mapper")
COMPARED_SHARE = 0.1
FULL = 0.95
"""Share of its budget at which a map counts as full: eviction goes below the budget."""

S_PER_MIN = 60.0


@dataclass(frozen=True)
class SoakOutcome:
    """What came out of a soak; times in seconds since the map was full and the nodes had settled.

    Attributes:
        memory_mb: by node, (N, 2): time and resident memory.
        latency_ms: (N, 2): time and latency of each pose.
        images: sent in that time.
        learned: images that the mapper learned from in that time.
    """

    memory_mb: dict[str, np.ndarray]
    latency_ms: np.ndarray
    images: int
    learned: int

    def memory_growth_percent(self, node: str) -> float:
        """Return how much more memory a node has in the last tenth of the time than in the first."""
        first, last = _ends(self.memory_mb[node])
        return 100.0 * (last - first) / first

    @property
    def latency_drift_ms_per_min(self) -> float:
        """The slope of a line through the latencies."""
        times_s, values_ms = self.latency_ms.T
        return float(np.polyfit(times_s, values_ms, 1)[0]) * S_PER_MIN

    @property
    def latency_growth_percent(self) -> float:
        """How much larger the latency is in the last tenth of the time than in the first."""
        first, last = _ends(self.latency_ms)
        return 100.0 * (last - first) / first


def _ends(series: np.ndarray) -> tuple[float, float]:
    """Return the medians of the first and the last tenth of the time of a series (N, 2)."""
    times_s, values = series.T
    share_s = COMPARED_SHARE * (times_s[-1] - times_s[0])
    return float(np.median(values[times_s <= times_s[0] + share_s])), float(
        np.median(values[times_s >= times_s[-1] - share_s])
    )


def run_soak(shown: Shown, budget_mb: float, settle_s: float, duration_s: float) -> SoakOutcome:
    """Run mapper and localizer on a sequence, over and over; return what was seen since the map was full, `settle_s`
    later.

    Raises:
        RosError: a node that does not start or ends by itself, or a budget that is not reached.
    """
    memory: dict[str, list[tuple[float, float]]] = {node: [] for node in NODES}

    def on_diagnostics(array: DiagnosticArray) -> None:
        for status in array.status:
            values = {entry.key: entry.value for entry in status.values}
            if status.name.lstrip("/") in memory and "memory [MB]" in values:
                memory[status.name.lstrip("/")].append((time.time(), float(values["memory [MB]"])))

    with PlayedNodes(shown) as played:
        played.seen.hear(DiagnosticArray, "/diagnostics", on_diagnostics)
        played.start("process", LEARN_EVERYTHING | {"map_code.budget_mb": budget_mb})
        seen = played.seen
        played.seen.wait(lambda: seen.mapping.map_bytes > FULL * budget_mb * BYTES_PER_MB, READY_S, "full map",
                         played.nodes.check)
        played.wait(settle_s)
        since_ns, learned = time.time_ns(), seen.mapping.frames_processed
        played.wait(duration_s)
        until_ns = time.time_ns()
        latencies_ms = played.latencies_ms(since_ns, until_ns)
        return SoakOutcome(
            {node: _since(samples, since_ns) for node, samples in memory.items()},
            _since([(stamp / NS_PER_S, latency) for stamp, latency in latencies_ms.items()], since_ns),
            len([stamp for stamp in list(seen.truths) if since_ns <= stamp < until_ns]),
            seen.mapping.frames_processed - learned)


def _since(series: list[tuple[float, float]], since_ns: int) -> np.ndarray:
    """Return a series (N, 2) from a time on, its times counted from then."""
    start_s = since_ns / NS_PER_S
    return np.array([(at_s - start_s, value) for at_s, value in series if at_s >= start_s]).reshape(-1, 2)
