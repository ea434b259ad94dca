"""The tracker: decides which poses of single images to trust, with the states LOST, RELOCALIZED and TRACKING.

The pose of one image can be wrong, e.g. with two similar rooms or a moved picture. So poses are checked against the
motion between images: the odometry, or the camera's largest speed. After LOST a pose is trusted if several poses agree,
or if its support is very large. While TRACKING a pose must pass a gate around its prediction from the last trusted
pose; several poses outside the gate that agree with each other mean that the robot was moved elsewhere.

A full localization is evidence once, also when flow has carried its pose to a newer image. Further poses that flow
carries from it only continue the track: they confirm and refute nothing, and do not keep a track alive.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.robot_pose import RobotPose
from cl_localization.localization.result import Localization
from cl_localization.tracking.gating import (
    Innovation,
    OdometryMonitor,
    OdometryReading,
    PoseMeasurement,
    innovation,
)
from cl_localization.tracking.image_period import ImagePeriod

RESTART_NS = NS_PER_S
"""An image older than the last one by more than this means a jump back in time: a looping bag, or a set clock."""

MAX_CANDIDATES = 32


class State(IntEnum):
    """As in LocalizationStatus.msg."""

    LOST = 0
    RELOCALIZED = 1
    TRACKING = 2


@dataclass(frozen=True)
class Track:
    """The tracker's decision about an image.

    Attributes:
        state: state after the image.
        trusted: whether to use the pose of this image.
        reason: the decision in one sentence.
        agreeing: number of poses that agree with it, itself included; 0 without a pose.
        innovation: against the prediction from the last trusted pose; None when LOST or without a pose.
        at_once: whether map -> odom must follow without smoothing: after a jump of robot or odometry, or with
            unreliable odometry.
        has_odometry: whether there is odometry for the image.
        robot: the robot's pose, set by callers that know the camera's mounting; None for untrusted poses.
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
    """Decides about one image after the other; not thread-safe.

    Attributes:
        config: may be replaced at any time.
        state: state after the last image.
    """

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:
        """Start LOST."""
        self.config, self.state = config, State.LOST
        self._last_ns = self._judged_ns = 0
        self._period = ImagePeriod()
        self.reset()

    def reset(self) -> None:
        """Become LOST and forget all poses, on request or after a change of the map."""
        self.state = State.LOST
        self._odometry_monitor = OdometryMonitor()
        self._trusted: PoseMeasurement | None = None
        self._looked: PoseMeasurement | None = None
        self._candidates: deque[PoseMeasurement] = deque(maxlen=MAX_CANDIDATES)

    def refusal(self, stamp_ns: int) -> str:
        """Return why an image with this timestamp is refused; empty if it is not. Changes no state."""
        if stamp_ns <= 0:
            return "the image has no timestamp; the driver must set header.stamp"
        if stamp_ns == self._last_ns:
            return "the timestamp is the same as that of the last image"
        if self._last_ns - RESTART_NS <= stamp_ns < self._last_ns:
            return f"the image is {(self._last_ns - stamp_ns) / NS_PER_S:.3f} s older than the last one"
        return ""

    def update(self, found: Localization, odom_T_cam: np.ndarray | None) -> Track:
        """Decide about a localized image.

        Args:
            odom_T_cam: (4, 4) the camera in the odometry frame at its timestamp; None without odometry.
        """
        refused = self.refusal(found.stamp_ns)
        if refused:
            return Track(self.state, False, refused, has_odometry=odom_T_cam is not None)
        restarted = self.restarts(found.stamp_ns)
        if restarted:
            self.reset()
            self._judged_ns = 0
        self._last_ns = found.stamp_ns
        self._period.observe(found.stamp_ns)
        track = self._decide(found, self._odometry_monitor.read(odom_T_cam, found.stamp_ns, self.config))
        self.state = track.state
        reason = f"time jumped back: tracking restarts; {track.reason}" if restarted else track.reason
        return replace(track, reason=reason, has_odometry=odom_T_cam is not None)

    def restarts(self, stamp_ns: int) -> bool:
        """Return whether a timestamp means a jump back in time."""
        return 0 < stamp_ns < self._last_ns - RESTART_NS

    def elapse(self, now_ns: int) -> Track | None:
        """Become LOST if the last trusted full localization is too old at `now_ns`, on the images' clock; return that
        decision or None."""
        if not self._overdue(now_ns):
            return None
        seconds = (now_ns - self._looked.looked_ns) / NS_PER_S
        if self._looked.reading is not None:  # without odometry, its gate would grow too wide
            self._candidates.append(self._looked)
        self._trusted, self._looked, self.state = None, None, State.LOST
        return Track(State.LOST, False, f"no trusted pose for {seconds:.1f} s")

    @property
    def patience_ns(self) -> int:
        """Time without a trusted full localization after which the tracker is LOST: longer where images come seldom and
        odometry tells what happens between them."""
        return self._window_ns(self.config.lost_after_s, self._looked)

    def _window_ns(self, seconds: float, pose: PoseMeasurement | None) -> int:
        """Return a window. It follows the images' period only with odometry: a gate by speed would become too wide."""
        by_odometry = pose is not None and pose.reading is not None and self._odometry_monitor.is_reliable
        return self._period.widened(seconds) if by_odometry else round(seconds * NS_PER_S)

    def _overdue(self, now_ns: int) -> bool:
        return self._looked is not None and now_ns - self._looked.looked_ns > self.patience_ns

    def _decide(self, found: Localization, reading: OdometryReading | None) -> Track:
        if not found.accepted:
            return self._untrusted(found.stamp_ns, found.reason)
        if not (np.isfinite(found.world_T_cam).all() and np.isfinite(found.covariance).all()):
            return self._untrusted(found.stamp_ns, "the pose or its covariance is not finite")
        measured = PoseMeasurement(found.stamp_ns, found.world_T_cam, found.covariance, reading, found.carried_ns)
        gap = None if self._trusted is None else self._innovation(self._trusted, measured)
        if found.looked_ns <= self._judged_ns:
            return self._continue(measured, gap)
        self._judged_ns = found.looked_ns
        if gap is not None and gap.within_gate and (gap.by_odometry or not self._overdue(measured.stamp_ns)):
            reason = f"within the gate: {gap}"
            return self._trust(measured, State.TRACKING, reason, gap, at_once=not gap.by_odometry)
        self.elapse(measured.stamp_ns)
        if self._trusted is None and found.support >= self.config.overwhelming_support:
            return self._trust(measured, State.RELOCALIZED, f"support {found.support:.0f} is overwhelming")
        return self._compare_with_recent(measured, gap)

    def _continue(self, measured: PoseMeasurement, gap: Innovation | None) -> Track:
        """Decide about a pose that rests on a full localization which was judged before."""
        source = f"carried by flow for {measured.carried_ns / NS_PER_S:.2f} s"
        if gap is None or measured.looked_ns != self._looked.looked_ns:
            return self._untrusted(measured.stamp_ns, f"{source} from a pose that is not trusted")
        if not gap.within_gate or self._overdue(measured.stamp_ns):
            return self._untrusted(measured.stamp_ns, f"{source}, outside the gate: {gap}", gap)
        self._trusted = measured
        return Track(State.TRACKING, True, f"within the gate: {gap}; {source}", 1, gap, not gap.by_odometry)

    def _compare_with_recent(self, measured: PoseMeasurement, gap: Innovation | None) -> Track:
        """Trust a pose without a track, or outside the gate, if recent poses agree with it."""
        against = "" if gap is None else f"; outside the gate: {gap}"
        agreeing = 1 + sum(self._innovation(other, measured).within_gate for other in self._recent(measured))
        if agreeing >= self.config.confirm_frames:
            return self._trust(measured, State.RELOCALIZED, f"{agreeing} poses agree{against}", gap, agreeing)
        if self._contradicts_odometry(measured):
            self._odometry_monitor.reject(measured)
            count = self.config.odometry_reject_frames
            reason = f"{count} poses in a row agree with each other but not with the odometry, which is rejected"
            return self._trust(measured, State.RELOCALIZED, reason, gap, count)
        self._candidates.append(measured)
        reason = f"{agreeing} of {self.config.confirm_frames} poses needed agree{against}{self._too_seldom(measured)}"
        return self._untrusted(measured.stamp_ns, reason, gap, agreeing)

    def _innovation(self, before: PoseMeasurement, now: PoseMeasurement) -> Innovation:
        return innovation(before, now, self.config, self._odometry_monitor.is_reliable)

    def _recent(self, measured: PoseMeasurement) -> list[PoseMeasurement]:
        """Return the candidates within the confirmation window, oldest first."""
        window_ns = self._window_ns(self.config.confirm_window_s, measured)
        recent = [other for other in self._candidates if measured.stamp_ns - other.stamp_ns <= window_ns]
        return sorted(recent, key=lambda other: other.stamp_ns)

    def _too_seldom(self, measured: PoseMeasurement) -> str:
        """Return a note if poses cannot confirm each other, as images come too seldom."""
        if self._period.seconds * NS_PER_S <= self._window_ns(self.config.confirm_window_s, measured):
            return ""
        return (f"; images come every {self._period.seconds:.1f} s, too seldom for poses to confirm each other within "
                f"confirm_window_s ({self.config.confirm_window_s:g} s) without odometry")

    def _contradicts_odometry(self, measured: PoseMeasurement) -> bool:
        """Return whether the last poses are consistent by the largest speed alone, without the odometry."""
        count = self.config.odometry_reject_frames
        poses = [*self._recent(measured), measured][-count:]
        if not self._odometry_monitor.is_reliable or measured.reading is None or len(poses) < count:
            return False
        return all(innovation(one, other, self.config, False).within_gate for one, other in pairwise(poses))

    def _trust(self, measured: PoseMeasurement, state: State, reason: str, gap: Innovation | None = None,
               agreeing: int = 1, at_once: bool = False) -> Track:
        self._trusted = self._looked = measured
        self._candidates.clear()
        self._odometry_monitor.check(measured, self.config)
        return Track(state, True, reason, agreeing, gap, at_once or state == State.RELOCALIZED)

    def _untrusted(self, stamp_ns: int, reason: str, gap: Innovation | None = None, agreeing: int = 0) -> Track:
        lost = self.elapse(stamp_ns)
        state = State.LOST if self._trusted is None else State.TRACKING
        return Track(state, False, f"{lost.reason}; {reason}" if lost else reason, agreeing, gap)
