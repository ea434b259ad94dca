"""The status of a node on /diagnostics: level, message, rates, latency, drops and memory.

| level | means |
|---|---|
| OK | images are processed |
| WARN | images are processed, but there is a problem; the message names it |
| ERROR | there is a problem, and no images are processed, or all are refused |
| STALE | the node is not active |
"""

from __future__ import annotations

import math
import os
import platform
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import KEYFRAME_TYPES, ROW_TYPES
from cl_localization.ros.conversions import time_message
from cl_localization.ros.nodes.managed_node import ManagedNode

PATIENCE_S = 3.0


class Refusals:
    """Counts the images that a worker took and refused.

    Attributes:
        succeeded, refused: numbers of images.
    """

    def __init__(self) -> None:
        self.succeeded = self.refused = 0
        self._in_a_row, self._reason = 0, ""

    @property
    def problem(self) -> str:
        """Why the last images were refused, until one succeeds; empty for no problem."""
        if not self._in_a_row:
            return ""
        images = "image was" if self._in_a_row == 1 else f"{self._in_a_row} images were"
        return f"the last {images} refused: {self._reason}"

    def succeed(self) -> None:
        """Count an image that was taken."""
        self.succeeded += 1
        self._in_a_row = 0

    def refuse(self, reason: str) -> None:
        """Count an image that was refused."""
        self.refused += 1
        self._in_a_row, self._reason = self._in_a_row + 1, reason

    def watch(self, work: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return `work(item)` that also counts: the item is refused if it raises."""
        def watched(item: Any) -> None:
            try:
                work(item)
            except Exception as error:
                self.refuse(str(error) or repr(error))
                raise
            self.succeed()
        return watched


WINDOW_S = 10.0
MAX_SAMPLES = 10_000
MS_PER_S, BYTES_PER_MB = 1000.0, 1_000_000


class Window:
    """A sliding time window of values, with percentiles."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Keep values for `WINDOW_S` seconds of the clock `now_s`, at most `MAX_SAMPLES`."""
        self._now_s = now_s
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def add(self, value: float) -> None:
        """Add a value; thread-safe."""
        self._samples.append((self._now_s(), value))

    def values(self) -> list[float]:
        """Return the values in the window, oldest first."""
        since_s = self._now_s() - WINDOW_S
        return [value for added_s, value in tuple(self._samples) if added_s >= since_s]

    def percentile(self, percent: float) -> float:
        """Return a percentile, NaN for an empty window."""
        values = self.values()
        return float(np.percentile(values, percent)) if values else math.nan


class Rates:
    """Rates of counters over a sliding time window."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Average over `WINDOW_S` seconds of the clock `now_s`."""
        self._now_s = now_s
        self._counts: dict[str, deque[tuple[float, int]]] = {}

    def hz(self, name: str, count: int) -> float:
        """Return the rate of the counter `name`, now at `count`; NaN at the first call. A counter reset starts over."""
        counts, now_s = self._counts.setdefault(name, deque()), self._now_s()
        if counts and count < counts[-1][1]:
            counts.clear()
        counts.append((now_s, count))
        while len(counts) > 2 and (now_s - counts[1][0] >= WINDOW_S or len(counts) > MAX_SAMPLES):
            counts.popleft()
        first_s, first = counts[0]
        passed_s = now_s - first_s
        return (count - first) / passed_s if passed_s > 0 else math.nan


class NodeDiagnostics:
    """Publishes the status of one node on /diagnostics.

    Attributes:
        latency_s: time from the arrival of each item to the end of its processing.
        refusals: which items were refused.
    """

    def __init__(self, node: ManagedNode) -> None:
        """Publish for `node` while it is active, and STALE when it is deactivated."""
        self.latency_s, self.refusals, self._digest = Window(), Refusals(), MapDigest()
        self._node, self._rates, self._clock = node, Rates(), ClockWatch(node.get_clock())
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.active.callback(self._close)

    def watch(self, work: Callable[[Any], object]) -> Callable[[Any], None]:
        """Return `work(item)` that also records the latency since `item.arrived_s`, and whether the item is refused."""
        counted = self.refusals.watch(work)

        def watched(item: Any) -> None:
            try:
                counted(item)
            finally:
                self.latency_s.add(time.monotonic() - item.arrived_s)
        return watched

    def publish(self, problems: Iterable[str], counts: dict[str, int], map_code: MapCode | None,
                values: dict[str, object]) -> None:
        """Publish the status: a problem is an ERROR while no item succeeds.

        Args:
            problems: what the node's parts have to say; empty texts for nothing.
            counts: counters, published with their rates.
            map_code: the node's map; None for none.
            values: other values.
        """
        counts = {**counts, "refused": self.refusals.refused}
        of_map = {"map": map_code.map_id if map_code else "", "map version": map_code.version if map_code else 0,
                  "codes": len(map_code) if map_code else 0, "map digest": self._digest.of(map_code)}
        rates = {f"{name} [Hz]": self._rates.hz(name, count) for name, count in counts.items()}
        fails = self._rates.hz("succeeded", self.refusals.succeeded) == 0.0 or self._clock.is_missing
        message = "; ".join(filter(None, (self._clock.problem, *problems, self.refusals.problem)))
        level = DiagnosticStatus.OK if not message else DiagnosticStatus.ERROR if fails else DiagnosticStatus.WARN
        latency_ms = {f"latency p{percent} [ms]": self.latency_s.percentile(percent) * MS_PER_S for percent in (50, 95)}
        self._publish(level, message or "OK", {**counts, **rates, **latency_ms, **of_map, **values,
                                           "memory [MB]": memory_mb()})

    def _close(self) -> None:
        if self._node.context.ok():
            self._publish(DiagnosticStatus.STALE, "not active", {})
        self._node.destroy_publisher(self._publisher)

    def _publish(self, level: bytes, message: str, values: dict[str, object]) -> None:
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


class ClockWatch:
    """Watches a node's clock by the steady clock of the machine."""

    def __init__(self, clock: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        """Watch `clock`, a ROSClock, from now on."""
        self._clock, self._now_s = clock, now_s
        self._moved_s, self._last_ns = now_s(), 0

    @property
    def is_missing(self) -> bool:
        """Whether simulated time has never come."""
        return bool(self._clock.ros_time_is_active) and self._clock.now().nanoseconds == 0

    @property
    def problem(self) -> str:
        """Why the clock does not run; empty if it does. Ask periodically."""
        now_ns, now_s = self._clock.now().nanoseconds, self._now_s()
        if now_ns != self._last_ns or not self._clock.ros_time_is_active:
            self._last_ns, self._moved_s = now_ns, now_s
        stands_s = now_s - self._moved_s
        if stands_s <= PATIENCE_S:
            return ""
        if now_ns == 0:
            return ("use_sim_time is set, but nothing publishes /clock; start the simulator, play bags with --clock, "
                    "or unset use_sim_time")
        return f"/clock has stood still for {stands_s:.0f} s"


def digest_of(map_code: MapCode) -> str:
    """Return the CRC-32 of a map's contents, as eight hexadecimal digits."""
    crc = zlib.crc32(repr((map_code.map_id, map_code.version, map_code.scene_names, map_code.temperature)).encode())
    for table, columns in ((map_code.codes, ROW_TYPES), (map_code.keyframes, KEYFRAME_TYPES)):
        rows = table.rows()
        crc = zlib.crc32(rows, crc)
        for name in columns:
            crc = zlib.crc32(np.ascontiguousarray(table[name][rows]), crc)
    return f"{crc:08x}"


class MapDigest:
    """The digest of a map for diagnostics, computed only while the map does not change: it takes 1 ms per MB."""

    def __init__(self) -> None:
        """Start without a map."""
        self._seen = ("", -1)
        self._digest = ""

    def of(self, map_code: MapCode | None) -> str:
        """Return the digest; empty for None, and for a map that has changed since the last call."""
        if map_code is None:
            return ""
        state = map_code.map_id, map_code.version
        if state != self._seen:
            self._seen, self._digest = state, ""
        elif not self._digest:
            digest = digest_of(map_code)
            self._digest = digest if (map_code.map_id, map_code.version) == state else ""
        return self._digest
