"""LOST, RELOCALIZED or TRACKING: what the trusted and untrusted poses so far amount to."""

from __future__ import annotations

from enum import IntEnum

NANOSECONDS = 1_000_000_000


class State(IntEnum):
    """As in LocalizationStatus.msg."""

    LOST = 0
    RELOCALIZED = 1
    TRACKING = 2


class TrackingState:
    """Follows the localizer's verdicts, one an image.

    Attributes:
        state: after the last image.
        lost_after_s: time of images without a trusted pose after which it is LOST.
    """

    def __init__(self, lost_after_s: float) -> None:
        """Begin LOST."""
        self.state = State.LOST
        self.lost_after_s = lost_after_s
        self._trusted_ns = 0

    def update(self, accepted: bool, stamp_ns: int) -> State:
        """Take the verdict on the image of `stamp_ns` and return the new state."""
        if accepted:
            self.state = State.RELOCALIZED if self.state == State.LOST else State.TRACKING
            self._trusted_ns = stamp_ns
        elif self.state != State.LOST:
            overdue = abs(stamp_ns - self._trusted_ns) > self.lost_after_s * NANOSECONDS
            self.state = State.LOST if overdue else State.TRACKING
        return self.state

    def reset(self) -> None:
        """Forget where we were."""
        self.state = State.LOST
