"""Tracking: poses of single images in, whether to trust them over time out. LOST, RELOCALIZED, TRACKING.

A pose of one image can be wrong and look right: two rooms alike, a picture that was moved. Motion tells: what the
odometry says between two images, or how fast the camera can be. After LOST a pose is trusted when several agree, or
when its evidence is overwhelming. While TRACKING a pose must follow on the one before; several that do not, but agree
with each other, say that the robot was carried away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.tracking.gating import NANOSECONDS, Odometer, Reading, Residual, Sighting, residual

if TYPE_CHECKING:
    from cl_localization.localization.result import Localization

RESTART_NS = NANOSECONDS
"""Images older than the last by more than this are no stragglers: the bag loops, or the clock was set."""

MAX_CANDIDATES = 32


class State(IntEnum):
    """As in LocalizationStatus.msg."""

    LOST = 0
    RELOCALIZED = 1
    TRACKING = 2


@dataclass(frozen=True)
class Track:
    """What the tracker makes of an image.

    Attributes:
        state: after it.
        trusted: whether the pose of this image may be used.
        reason: the decision, in one sentence.
        agreeing: poses that speak for it, itself included; 0 without a pose.
        residual: to the last trusted pose; None when LOST or without a pose.
        at_once: whether map -> odom must follow without smoothing: the robot was carried, or the odometry has jumped or
            is doubted.
    """

    state: State
    trusted: bool
    reason: str
    agreeing: int = 0
    residual: Residual | None = None
    at_once: bool = False


class Tracker:
    """Decides image by image; not thread-safe.

    Attributes:
        config: may be replaced at any time.
        state: after the last image.
    """

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:
        """Begin LOST."""
        self.config, self.state = config, State.LOST
        self._last_ns = 0
        self.reset()

    def reset(self) -> None:
        """Be LOST and forget all poses: the map is another one, or somebody asked for it."""
        self.state = State.LOST
        self._odometer = Odometer()
        self._trusted: Sighting | None = None
        self._candidates: deque[Sighting] = deque(maxlen=MAX_CANDIDATES)

    def refusal(self, stamp_ns: int) -> str:
        """Return why an image of this stamp is not worked on; empty when it is. Changes nothing."""
        if stamp_ns <= 0:
            return "the image has no stamp; the driver must set header.stamp"
        if stamp_ns == self._last_ns:
            return "an image of this stamp was here before"
        if self._last_ns - RESTART_NS <= stamp_ns < self._last_ns:
            return f"the image is {(self._last_ns - stamp_ns) / NANOSECONDS:.3f} s older than the one before"
        return ""

    def update(self, found: Localization, odom_T_cam: np.ndarray | None) -> Track:
        """Take what the localizer found in an image, and the camera in the odometry's frame (4, 4) at its stamp, None
        without."""
        refused = self.refusal(found.stamp_ns)
        if refused:
            return Track(self.state, False, refused)
        restarted = self.restarts(found.stamp_ns)
        if restarted:
            self.reset()
        self._last_ns = found.stamp_ns
        track = self._decide(found, self._odometer.read(odom_T_cam, found.stamp_ns, self.config))
        self.state = track.state
        return replace(track, reason=f"time jumped back: starting anew; {track.reason}") if restarted else track

    def restarts(self, stamp_ns: int) -> bool:
        """Return whether an image of this stamp is from so long before the last that time itself must have jumped
        back."""
        return 0 < stamp_ns < self._last_ns - RESTART_NS

    def elapse(self, now_ns: int) -> Track | None:
        """Be LOST if there was no trusted pose for too long before `now_ns`, on the images' clock; return the track if
        that is news."""
        if not self._overdue(now_ns):
            return None
        seconds = (now_ns - self._trusted.stamp_ns) / NANOSECONDS
        if self._trusted.reading is not None:  # by speed alone it would agree with whatever comes later
            self._candidates.append(self._trusted)
        self._trusted, self.state = None, State.LOST
        return Track(State.LOST, False, f"no trusted pose for {seconds:.1f} s")

    def _overdue(self, now_ns: int) -> bool:
        return self._trusted is not None and now_ns - self._trusted.stamp_ns > self.config.lost_after_s * NANOSECONDS

    def _decide(self, found: Localization, reading: Reading | None) -> Track:
        if not found.accepted:
            return self._untrusted(found.stamp_ns, found.reason)
        if not (np.isfinite(found.world_T_cam).all() and np.isfinite(found.covariance).all()):
            return self._untrusted(found.stamp_ns, "the pose or its covariance is not finite")
        seen = Sighting(found.stamp_ns, found.world_T_cam, found.covariance, reading)
        gap = None if self._trusted is None else residual(self._trusted, seen, self.config, self._odometer.believed)
        if gap is not None and gap.agrees and (gap.by_odometry or not self._overdue(seen.stamp_ns)):
            return self._trust(seen, State.TRACKING, f"follows on the track: {gap}", gap, at_once=not gap.by_odometry)
        self.elapse(seen.stamp_ns)
        if self._trusted is None and found.support >= self.config.overwhelming_support:
            return self._trust(seen, State.RELOCALIZED, f"support {found.support:.0f} is overwhelming")
        return self._weigh(seen, gap)

    def _weigh(self, seen: Sighting, gap: Residual | None) -> Track:
        """Trust a pose that does not follow on the track, or that there is no track for, if recent poses speak for
        it."""
        against = "" if gap is None else f"; against the track it is {gap}"
        agreeing = 1 + sum(residual(other, seen, self.config, self._odometer.believed).agrees
                           for other in self._recent(seen))
        if agreeing >= self.config.confirm_frames:
            return self._trust(seen, State.RELOCALIZED, f"{agreeing} poses agree{against}", gap, agreeing)
        if self._contradicts_odometry(seen):
            self._odometer.doubt(seen)
            return self._trust(seen, State.RELOCALIZED,
                               f"{self.config.doubt_frames} poses in a row agree, but not with the odometry, "
                               "which is doubted", gap, self.config.doubt_frames)
        self._candidates.append(seen)
        return self._untrusted(seen.stamp_ns, f"{agreeing} of {self.config.confirm_frames} poses that must "
                                              f"agree{against}", gap, agreeing)

    def _recent(self, seen: Sighting) -> list[Sighting]:
        """Return the candidates of the agreement window, oldest first."""
        window_ns = self.config.agreement_window_s * NANOSECONDS
        recent = [other for other in self._candidates if seen.stamp_ns - other.stamp_ns <= window_ns]
        return sorted(recent, key=lambda other: other.stamp_ns)

    def _contradicts_odometry(self, seen: Sighting) -> bool:
        """Return whether the last poses could all follow on each other if it were not for the odometry."""
        poses = [*self._recent(seen), seen][-self.config.doubt_frames:]
        return (self._odometer.believed and seen.reading is not None and len(poses) == self.config.doubt_frames
                and all(residual(one, next_one, self.config, False).agrees for one, next_one in pairwise(poses)))

    def _trust(self, seen: Sighting, state: State, reason: str, gap: Residual | None = None, agreeing: int = 1,
               at_once: bool = False) -> Track:
        self._trusted = seen
        self._candidates.clear()
        self._odometer.judge(seen, self.config)
        at_once = at_once or state == State.RELOCALIZED or not self._odometer.believed
        return Track(state, True, reason, agreeing, gap, at_once)

    def _untrusted(self, stamp_ns: int, reason: str, gap: Residual | None = None, agreeing: int = 0) -> Track:
        lost = self.elapse(stamp_ns)
        state = State.LOST if self._trusted is None else State.TRACKING
        return Track(state, False, f"{lost.reason}; {reason}" if lost else reason, agreeing, gap)
