"""What time it is on the clock that stamps the images: that of the node, or of a bag that plays without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LONGEST_DELAY_NS = 2_000_000_000
"""A driver's image comes within this time of its stamp; where the difference is larger, the stamps are from another
clock."""


class ImagesClock:
    """Goes on from the last image: its stamp, how late it came, and the time since, which a jump of the system's clock
    does not touch.

    With simulated time it is that.
    """

    def __init__(self, clock: Any, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Begin without an image, with the time of `clock`, the node's ROSClock."""
        self._clock, self._monotonic_ns = clock, monotonic_ns
        self._offset_ns = clock.now().nanoseconds - monotonic_ns()
        self._came_ns = self.now_ns()

    def observe(self, stamp_ns: int) -> None:
        """Note that an image comes in now."""
        delay_ns = self._clock.now().nanoseconds - stamp_ns
        self._offset_ns = stamp_ns - self._monotonic_ns() + (delay_ns if 0 < delay_ns < LONGEST_DELAY_NS else 0)
        self._came_ns = self.now_ns()

    def now_ns(self) -> int:
        """Return the present in nanoseconds."""
        if self._clock.ros_time_is_active:
            return self._clock.now().nanoseconds
        return self._monotonic_ns() + self._offset_ns

    def silent_ns(self) -> int:
        """Return the time since the last image."""
        return self.now_ns() - self._came_ns
