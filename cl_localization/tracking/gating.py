"""Gating: whether a pose is consistent with an earlier one, given the odometry or the camera's largest speed.

A pose is ambiguous when a large part of its image agrees with another pose, as when furniture was moved. Where odometry
exists, it decides: it leads from the last unambiguous pose to the right one of the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry import se3
from cl_localization.geometry.se3 import largest_sigma
from cl_localization.localization.result import Localization

PROOF_M, PROOF_DEG = 0.5, 30.0
"""Rejected odometry is reliable again after it has predicted a motion of this size correctly."""

RIVAL_SHARE, LEAST_RIVALS = 0.1, 20
"""A pose is ambiguous when so many features agree with another one: this share of its own, and this many."""

MOSTLY_EXPLAINS, LARGE_RIVAL_SHARE = 0.32, 0.5
"""A pose that explains this share of an image is ambiguous only where odometry does not lead to it, and where so many
features for each of its own agree with another one."""

ANCHOR_EXPLAINS, SURELY_EXPLAINS = 0.26, 0.5
"""Share of an image's features that must agree with a pose for others to be held against it: where odometry leads to it
from the last such pose, and anywhere, as a robot may be carried. A large cupboard alone explains up to 0.48."""

FEW_EXPECTED = 1.0
"""A map that should show fewer codes than an image has features holds too few to tell what has moved, where no pose
before was unambiguous. Rooms mapped with depth or without have 1.5 to 10 codes in view for each feature."""


@dataclass(frozen=True, eq=False)
class OdometryReading:
    """Odometry at one image.

    Attributes:
        odom_T_cam: (4, 4) the camera in the odometry frame.
        travelled_m, turned_deg: sums of the translations and rotations between images since the first reading.
        jumps: number of steps so far that exceed the largest speed.
    """

    odom_T_cam: np.ndarray
    travelled_m: float
    turned_deg: float
    jumps: int


@dataclass(frozen=True, eq=False)
class PoseMeasurement:
    """A pose that the localizer accepted.

    Attributes:
        map_T_cam: (4, 4) the camera in the map.
        covariance: (6, 6) of its position [m] and rotation [rad], in the map's axes.
        reading: the odometry at its image; None without odometry.
        carried_ns: time since the image that was fully localized, if flow carried its pose to this one; else 0.
    """

    stamp_ns: int
    map_T_cam: np.ndarray
    covariance: np.ndarray
    reading: OdometryReading | None = None
    carried_ns: int = 0

    @property
    def looked_ns(self) -> int:
        """Timestamp of the image that was fully localized."""
        return self.stamp_ns - self.carried_ns


@dataclass(frozen=True)
class Innovation:
    """The innovation of a pose against its prediction from an earlier one, and the gate.

    Attributes:
        distance_m, angle_deg: between the pose and its prediction.
        allowed_m, allowed_deg: width of the gate.
        by_odometry: whether it is predicted by odometry; else only bounded by the largest speed.
    """

    distance_m: float
    angle_deg: float
    allowed_m: float
    allowed_deg: float
    by_odometry: bool

    @property
    def within_gate(self) -> bool:
        """Whether the two poses are consistent."""
        return self.distance_m <= self.allowed_m and self.angle_deg <= self.allowed_deg

    def __str__(self) -> str:
        source = "the odometry" if self.by_odometry else "the largest speed"
        return (f"{self.distance_m:.2f} m and {self.angle_deg:.1f} deg off, {self.allowed_m:.2f} m and "
                f"{self.allowed_deg:.1f} deg allowed by {source}")


def innovation(before: PoseMeasurement, now: PoseMeasurement, config: TrackerConfig,
               use_odometry: bool = True) -> Innovation:
    """Return the innovation of a pose against its prediction from an earlier one.

    The gate is a floor for the map's errors, plus `gate_sigmas` standard deviations of both poses, plus the possible
    drift of the odometry, or without odometry the largest motion of the camera in the time between them. Odometry that
    has jumped in between is only used if the pose passes the gate: the jump may have been a fast motion.
    """
    has_odometry = use_odometry and before.reading is not None and now.reading is not None
    if has_odometry:
        found = _innovation(before, now, config, _predict_by_odometry(before, now, config))
        if found.within_gate or before.reading.jumps == now.reading.jumps:
            return found
    return _innovation(before, now, config, _predict_by_speed(before, now, config))


@dataclass(frozen=True, eq=False)
class _Prediction:
    """The predicted pose (4, 4), its uncertainty, and the distance travelled, 0 if unknown."""

    map_T_cam: np.ndarray
    sigma_m: float
    sigma_deg: float
    travelled_m: float
    by_odometry: bool


def _innovation(before: PoseMeasurement, now: PoseMeasurement, config: TrackerConfig,
                predicted: _Prediction) -> Innovation:
    distance_m, angle_deg = se3.pose_error(predicted.map_T_cam, now.map_T_cam)
    covariance = before.covariance + now.covariance
    sigma_m, sigma_rad = largest_sigma(covariance[:3, :3]), largest_sigma(covariance[3:, 3:])
    poses_m = config.gate_sigmas * (sigma_m + predicted.travelled_m * sigma_rad)
    poses_deg = config.gate_sigmas * float(np.rad2deg(sigma_rad))
    return Innovation(distance_m, angle_deg, config.gate_floor_m + poses_m + predicted.sigma_m,
                      config.gate_floor_deg + poses_deg + predicted.sigma_deg, predicted.by_odometry)


def _predict_by_speed(before: PoseMeasurement, now: PoseMeasurement, config: TrackerConfig) -> _Prediction:
    seconds = abs(now.stamp_ns - before.stamp_ns) / NS_PER_S
    return _Prediction(before.map_T_cam, config.max_speed_m_s * seconds, config.max_turn_deg_s * seconds, 0.0, False)


def _predict_by_odometry(before: PoseMeasurement, now: PoseMeasurement, config: TrackerConfig) -> _Prediction:
    then, here = before.reading, now.reading
    travelled_m, turned_deg = here.travelled_m - then.travelled_m, here.turned_deg - then.turned_deg
    drift_deg = config.drift_share * turned_deg + config.drift_deg_per_m * travelled_m
    drift_m = config.drift_share * travelled_m + 0.5 * float(np.deg2rad(drift_deg)) * travelled_m
    predicted = before.map_T_cam @ se3.inverse(then.odom_T_cam) @ here.odom_T_cam
    return _Prediction(predicted, drift_m, drift_deg, travelled_m, True)


class OdometryMonitor:
    """Monitors the odometry from image to image: distance travelled, jumps, and reliability.

    Attributes:
        is_reliable: False after the poses have contradicted it, e.g. because it is frozen or the wheels slip.
    """

    def __init__(self) -> None:
        self.is_reliable = True
        self._last: OdometryReading | None = None
        self._last_ns = 0
        self._reference: PoseMeasurement | None = None

    def read(self, odom_T_cam: np.ndarray | None, stamp_ns: int, config: TrackerConfig) -> OdometryReading | None:
        """Return the reading of the odometry at an image; None without odometry.

        A step that exceeds the largest speed counts as a jump.
        """
        if odom_T_cam is None:
            return None
        last = self._last or OdometryReading(odom_T_cam, 0.0, 0.0, 0)
        step_m, step_deg = se3.pose_error(last.odom_T_cam, odom_T_cam)
        seconds = (stamp_ns - self._last_ns) / NS_PER_S if self._last else 0.0
        bound_m = config.gate_floor_m + config.max_speed_m_s * seconds
        bound_deg = config.gate_floor_deg + config.max_turn_deg_s * seconds
        jumped = step_m > bound_m or step_deg > bound_deg
        self._last_ns = stamp_ns
        self._last = OdometryReading(odom_T_cam, last.travelled_m + min(step_m, bound_m),
                                     last.turned_deg + min(step_deg, bound_deg), last.jumps + jumped)
        return self._last

    def reject(self, measurement: PoseMeasurement) -> None:
        """Treat the odometry as unreliable from this measurement on."""
        self.is_reliable, self._reference = False, measurement

    def check(self, measurement: PoseMeasurement, config: TrackerConfig) -> None:
        """Treat it as reliable again once it predicts the motion between two trusted measurements far apart."""
        if self.is_reliable or self._reference is None:
            return
        moved_m, turned_deg = se3.pose_error(self._reference.map_T_cam, measurement.map_T_cam)
        if max(moved_m / PROOF_M, turned_deg / PROOF_DEG) >= 1:
            found = innovation(self._reference, measurement, config)
            self.is_reliable = found.by_odometry and found.within_gate
            self._reference = measurement


class AmbiguityGate:
    """Refuses ambiguous poses that odometry does not lead to from the last unambiguous pose."""

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:
        """Use the gate of a tracker's options."""
        self._config = config
        self.forget()

    def forget(self) -> None:
        """Begin again: no pose is known."""
        self._odometry = OdometryMonitor()
        self._anchor: PoseMeasurement | None = None
        self._scene = ""

    def judge(self, found: Localization, odom_T_cam: np.ndarray | None,
              with_rival: Callable[[Localization], Localization]) -> Localization:
        """Return a localization, refused if it is ambiguous and odometry does not lead to it.

        Args:
            odom_T_cam: (4, 4) the camera in the odometry frame; None without odometry: then nothing is refused.
            with_rival: returns a localization with what else its image agrees with; called only where that matters.
        """
        reading = self._odometry.read(odom_T_cam, found.stamp_ns, self._config)
        if not found.accepted or reading is None:
            return found
        measured = PoseMeasurement(found.stamp_ns, found.world_T_cam, found.covariance, reading)
        is_led_to = self._leads_to(measured, found.scene)
        if found.explained < (MOSTLY_EXPLAINS if is_led_to else SURELY_EXPLAINS):
            found = with_rival(found)
        share = RIVAL_SHARE if found.explained < MOSTLY_EXPLAINS else LARGE_RIVAL_SHARE
        if found.rival_inliers < max(LEAST_RIVALS, share * found.inliers):
            if found.explained >= SURELY_EXPLAINS or (found.explained >= ANCHOR_EXPLAINS
                                                      and (self._anchor is None or is_led_to)):
                self._anchor, self._scene = measured, found.scene
            return found
        if is_led_to or (self._anchor is None and found.expected < FEW_EXPECTED):
            return found
        return replace(found, accepted=False, reason=f"{found.inliers} features agree with the pose, but "
                       f"{found.rival_inliers} with another one, and odometry does not tell which is right")

    def _leads_to(self, measured: PoseMeasurement, scene: str) -> bool:
        if self._anchor is None or scene != self._scene:
            return False
        gap = innovation(self._anchor, measured, self._config)
        return gap.by_odometry and gap.within_gate
