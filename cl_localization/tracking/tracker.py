"""Tracking: poses of single images in, whether to trust them over time out. LOST, RELOCALIZED, TRACKING.

The pose of one image can be wrong and look right: two rooms alike, a picture that was moved. Motion tells: what the
odometry says between two images, or how fast the camera can be. After LOST a pose is trusted when several agree, or
when its evidence is overwhelming. While TRACKING a pose must pass a gate around its prediction from the last trusted
pose; several that do not, but agree with each other, mean that the robot was carried away.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.geometry.robot_pose import RobotPose
from cl_localization.localization.result import Localization
from cl_localization.tracking.gating import (
    NANOSECONDS,
    Innovation,
    OdometryMonitor,
    OdometryReading,
    PoseMeasurement,
    innovation,
)

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
        agreeing: poses that agree with it, itself included; 0 without a pose.
        innovation: against the prediction from the last trusted pose; None when LOST or without a pose.
        at_once: whether map -> odom must follow without smoothing: the robot was carried, or the odometry has jumped or
            is not reliable.
        has_odometry: whether the odometry was known at the image.
        robot: the robot in the map, filled in by who knows the camera's mounting; None for untrusted poses.
    """

    state: State
    trusted: bool
    reason: str
    agreeing: int = 0
    innovation: Innovation | None = None
    at_once: bool = False
    has_odometry: bool = False
    robot: RobotPose | None = None


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
        self._odometry_monitor = OdometryMonitor()
        self._trusted: PoseMeasurement | None = None
        self._candidates: deque[PoseMeasurement] = deque(maxlen=MAX_CANDIDATES)

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
        """Decide about a localized image.

        Args:
            odom_T_cam: (4, 4) the camera in the odometry's frame at its stamp; None without odometry.
        """
        refused = self.refusal(found.stamp_ns)
        if refused:
            return Track(self.state, False, refused, has_odometry=odom_T_cam is not None)
        restarted = self.restarts(found.stamp_ns)
        if restarted:
            self.reset()
        self._last_ns = found.stamp_ns
        track = self._decide(found, self._odometry_monitor.read(odom_T_cam, found.stamp_ns, self.config))
        self.state = track.state
        reason = f"time jumped back: starting anew; {track.reason}" if restarted else track.reason
        return replace(track, reason=reason, has_odometry=odom_T_cam is not None)

    def restarts(self, stamp_ns: int) -> bool:
        """Return whether a stamp lies so far before the last that time itself must have jumped back."""
        return 0 < stamp_ns < self._last_ns - RESTART_NS

    def elapse(self, now_ns: int) -> Track | None:
        """Become LOST if there was no trusted pose for too long before `now_ns`, on the images' clock.

        Returns:
            The track if that changed something, else None.
        """
        if not self._overdue(now_ns):
            return None
        seconds = (now_ns - self._trusted.stamp_ns) / NANOSECONDS
        if self._trusted.reading is not None:  # by speed alone anything later would pass its gate
            self._candidates.append(self._trusted)
        self._trusted, self.state = None, State.LOST
        return Track(State.LOST, False, f"no trusted pose for {seconds:.1f} s")

    def _overdue(self, now_ns: int) -> bool:
        return self._trusted is not None and now_ns - self._trusted.stamp_ns > self.config.lost_after_s * NANOSECONDS

    def _decide(self, found: Localization, reading: OdometryReading | None) -> Track:
        if not found.accepted:
            return self._untrusted(found.stamp_ns, found.reason)
        if not (np.isfinite(found.world_T_cam).all() and np.isfinite(found.covariance).all()):
            return self._untrusted(found.stamp_ns, "the pose or its covariance is not finite")
        measured = PoseMeasurement(found.stamp_ns, found.world_T_cam, found.covariance, reading)
        gap = None if self._trusted is None else self._innovation(self._trusted, measured)
        if gap is not None and gap.within_gate and (gap.by_odometry or not self._overdue(measured.stamp_ns)):
            reason = f"follows on the track: {gap}"
            return self._trust(measured, State.TRACKING, reason, gap, at_once=not gap.by_odometry)
        self.elapse(measured.stamp_ns)
        if self._trusted is None and found.support >= self.config.overwhelming_support:
            return self._trust(measured, State.RELOCALIZED, f"support {found.support:.0f} is overwhelming")
        return self._compare_with_recent(measured, gap)

    def _compare_with_recent(self, measured: PoseMeasurement, gap: Innovation | None) -> Track:
        """Trust a pose without a track, or outside its gate, if recent poses agree with it."""
        against = "" if gap is None else f"; against the track it is {gap}"
        agreeing = 1 + sum(self._innovation(other, measured).within_gate for other in self._recent(measured))
        if agreeing >= self.config.confirm_frames:
            return self._trust(measured, State.RELOCALIZED, f"{agreeing} poses agree{against}", gap, agreeing)
        if self._contradicts_odometry(measured):
            self._odometry_monitor.reject(measured)
            count = self.config.odometry_reject_frames
            reason = f"{count} poses in a row agree, but not with the odometry, which is rejected"
            return self._trust(measured, State.RELOCALIZED, reason, gap, count)
        self._candidates.append(measured)
        reason = f"{agreeing} of {self.config.confirm_frames} poses that must agree{against}"
        return self._untrusted(measured.stamp_ns, reason, gap, agreeing)

    def _innovation(self, before: PoseMeasurement, now: PoseMeasurement) -> Innovation:
        return innovation(before, now, self.config, self._odometry_monitor.is_reliable)

    def _recent(self, measured: PoseMeasurement) -> list[PoseMeasurement]:
        """Return the candidates within the confirmation window, oldest first."""
        window_ns = self.config.confirm_window_s * NANOSECONDS
        recent = [other for other in self._candidates if measured.stamp_ns - other.stamp_ns <= window_ns]
        return sorted(recent, key=lambda other: other.stamp_ns)

    def _contradicts_odometry(self, measured: PoseMeasurement) -> bool:
        """Return whether the last poses could all follow on each other by speed alone, without the odometry."""
        count = self.config.odometry_reject_frames
        poses = [*self._recent(measured), measured][-count:]
        if not self._odometry_monitor.is_reliable or measured.reading is None or len(poses) < count:
            return False
        return all(innovation(one, other, self.config, False).within_gate for one, other in pairwise(poses))

    def _trust(self, measured: PoseMeasurement, state: State, reason: str, gap: Innovation | None = None,
               agreeing: int = 1,
               at_once: bool = False) -> Track:
        self._trusted = measured
        self._candidates.clear()
        self._odometry_monitor.check(measured, self.config)
        return Track(state, True, reason, agreeing, gap, at_once or state == State.RELOCALIZED)

    def _untrusted(self, stamp_ns: int, reason: str, gap: Innovation | None = None, agreeing: int = 0) -> Track:
        lost = self.elapse(stamp_ns)
        state = State.LOST if self._trusted is None else State.TRACKING
        return Track(state, False, f"{lost.reason}; {reason}" if lost else reason, agreeing, gap)
