"""When to save a map so that a killed mapper loses at most one period of mapping."""

from __future__ import annotations

import time
from collections.abc import Callable

TICKS = 8
"""Number of checks per period."""

FORGETTING = 0.5
"""Weight of a save that was faster than expected, in the average of the expected duration."""


class SaveSchedule:
    """Schedules saves so that each ends within a period after the copy for the previous save was made.

    A killed mapper loses all keyframes since the copy of the last complete save. Saves that take more than half a
    period follow each other without a pause.
    """

    def __init__(self, period_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Save every `period_s` seconds; 0: never."""
        self.period_s, self._now_s = period_s, now_s
        self._copied_s, self._expected_s = -float("inf"), 0.0

    @property
    def tick_s(self) -> float:
        """Period of calls to `is_due`, in seconds."""
        return max(self.period_s / TICKS, 0.01)

    @property
    def is_due(self) -> bool:
        """Whether to start a save now."""
        return bool(self.period_s) and self._now_s() + self._expected_s + self.tick_s >= self._copied_s + self.period_s

    def note_copy(self) -> None:
        """Note that a copy of the map to save was just made."""
        self._copied_s = self._now_s()

    def note_save(self, took_s: float) -> None:
        """Note the duration of a save, including the wait for its copy."""
        self._expected_s = max(took_s, FORGETTING * (took_s + self._expected_s))
