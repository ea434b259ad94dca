"""Whether the clock of a node runs: with use_sim_time and without /clock it stands at zero, and with it all timing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 3.0


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
