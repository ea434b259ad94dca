"""When to save a map so that a kill loses no more than a period: begin early enough to be done in time."""

from __future__ import annotations

import time
from collections.abc import Callable

TICKS = 8
"""How many times a period to look whether it is time."""

FORGETTING = 0.5
"""What a save that was quicker than those before counts towards the time expected."""


class SaveSchedule:
    """Saves follow each other so that one ends at most a period after the copy was made that the one before has
    written.

    What was learned just after a copy is lost if the mapper is killed just before the next save ends. Saves that take
    more than half a period follow each other without a pause.
    """

    def __init__(self, period_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        """Save every `period_s` seconds; 0 is never."""
        self.period_s, self._now_s = period_s, now_s
        self._copied_s, self._expected_s = -float("inf"), 0.0

    @property
    def tick_s(self) -> float:
        """How often to look, in seconds."""
        return max(self.period_s / TICKS, 0.01)

    @property
    def is_due(self) -> bool:
        """Whether to begin a save now."""
        return bool(self.period_s) and self._now_s() + self._expected_s + self.tick_s >= self._copied_s + self.period_s

    def note_copy(self) -> None:
        """Note that a copy of the map was made just now, to be saved."""
        self._copied_s = self._now_s()

    def note_save(self, took_s: float) -> None:
        """Note how long it took from the beginning of a save, which waits for its copy, to its end."""
        self._expected_s = max(took_s, FORGETTING * (took_s + self._expected_s))
