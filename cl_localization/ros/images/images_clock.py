"""The present time on the clock of the images' timestamps, also for a bag played without /clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

LONGEST_DELAY_NS = 10_000_000_000
"""Images later than this are assumed to have timestamps of another clock than the node's; tf remembers as long."""


class ImagesClock:
    """Timestamp and delay of the last image plus the monotonic time since, which jumps of the system clock do not
    affect. With simulated time, the simulated clock, once it has come."""

    def __init__(self, clock: Any, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        """Start without an image, at the time of `clock`, the node's ROSClock."""
        self._clock, self._monotonic_ns = clock, monotonic_ns
        self._offset_ns = clock.now().nanoseconds - monotonic_ns()
        self._arrived_ns = self.now_ns()

    def observe(self, stamp_ns: int) -> None:
        """Take the timestamp of an image that arrives now."""
        delay_ns = self._clock.now().nanoseconds - stamp_ns
        self._offset_ns = stamp_ns - self._monotonic_ns() + (delay_ns if 0 < delay_ns < LONGEST_DELAY_NS else 0)
        self._arrived_ns = self.now_ns()

    def now_ns(self) -> int:
        """Return the present time in nanoseconds."""
        if self._clock.ros_time_is_active and (simulated_ns := self._clock.now().nanoseconds):
            return simulated_ns
        return self._monotonic_ns() + self._offset_ns

    def silent_ns(self) -> int:
        """Return the nanoseconds since the last image."""
        return self.now_ns() - self._arrived_ns
