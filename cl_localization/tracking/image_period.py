"""The measured time between two images, which windows of time follow."""

from __future__ import annotations

from collections import deque

from cl_localization.data.stamps import NS_PER_S

INTERVALS = 5
LONGEST_PERIOD_NS = 10 * NS_PER_S
"""Longer times between images are pauses; tf remembers as long."""

PERIODS_IN_WINDOW = 2.5
"""A window holds two images and one that is late."""


class ImagePeriod:
    """The median of the last times between images, the lower one of an even number."""

    def __init__(self) -> None:
        self._last_ns = 0
        self._intervals_ns: deque[int] = deque(maxlen=INTERVALS)

    def observe(self, stamp_ns: int) -> None:
        """Take an image's timestamp; pauses and jumps back are no intervals."""
        interval_ns = stamp_ns - self._last_ns
        if self._last_ns and 0 < interval_ns <= LONGEST_PERIOD_NS:
            self._intervals_ns.append(interval_ns)
        self._last_ns = stamp_ns

    @property
    def seconds(self) -> float:
        """The period in seconds; 0 before the second image."""
        ordered = sorted(self._intervals_ns)
        return ordered[(len(ordered) - 1) // 2] / NS_PER_S if ordered else 0.0

    def widened(self, window_s: float) -> int:
        """Return a window in nanoseconds, wide enough for the images of a camera that gives them seldom."""
        return round(max(window_s, PERIODS_IN_WINDOW * self.seconds) * NS_PER_S)
