"""Whether two poses can be those of one camera that moved: by what the odometry says between them, or by how fast it
can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import TrackerConfig
from cl_localization.geometry import se3

NANOSECONDS = 1_000_000_000

PROOF_M, PROOF_DEG = 0.5, 30.0
"""Odometry that was doubted is believed again once it was right about a motion as large as this."""


@dataclass(frozen=True, eq=False)
class Reading:
    """Odometry at one image.

    Attributes:
        odom_T_cam: (4, 4) the camera in the odometry's frame.
        travelled_m, turned_deg: length of the way and sum of the turns since the first reading, image by image.
        jumps: steps so far that no camera can have made.
    """

    odom_T_cam: np.ndarray
    travelled_m: float
    turned_deg: float
    jumps: int


@dataclass(frozen=True, eq=False)
class Sighting:
    """A pose that the localizer accepted.

    Attributes:
        map_T_cam: (4, 4) the camera in the map.
        covariance: (6, 6) of its position [m] and rotation [rad], in the map's axes.
        reading: the odometry at its image; None without.
    """

    stamp_ns: int
    map_T_cam: np.ndarray
    covariance: np.ndarray
    reading: Reading | None = None


@dataclass(frozen=True)
class Residual:
    """How far a pose lies from where an earlier one lets expect it, and how far it may.

    Attributes:
        by_odometry: whether the odometry told what to expect, or only the largest speed.
    """

    distance_m: float
    angle_deg: float
    allowed_m: float
    allowed_deg: float
    by_odometry: bool

    @property
    def agrees(self) -> bool:
        """Whether both poses can be true."""
        return self.distance_m <= self.allowed_m and self.angle_deg <= self.allowed_deg

    def __str__(self) -> str:
        judge = "the odometry" if self.by_odometry else "the largest speed"
        return (f"{self.distance_m:.2f} m and {self.angle_deg:.1f} deg off, {self.allowed_m:.2f} m and "
                f"{self.allowed_deg:.1f} deg "
                f"allowed by {judge}")


def residual(before: Sighting, now: Sighting, config: TrackerConfig, believe_odometry: bool = True) -> Residual:
    """Compare a pose with where an earlier one lets expect it.

    The bound is a floor for the map's own errors, plus `gate_sigmas` standard deviations of both poses, plus what the
    odometry may have drifted on the way; without odometry, plus how far the camera can have come in the time between.
    Odometry that has jumped in between is only listened to where it agrees: the jump may have been a quick motion.
    """
    has_odometry = believe_odometry and before.reading is not None and now.reading is not None
    if has_odometry:
        gap = _gap(before, now, config, True, *_by_odometry(before, now, config))
        if gap.agrees or before.reading.jumps == now.reading.jumps:
            return gap
    return _gap(before, now, config, False, *_by_speed(before, now, config))


def _gap(before: Sighting, now: Sighting, config: TrackerConfig, by_odometry: bool, expected: np.ndarray,
         drift_m: float,
         drift_deg: float, way_m: float) -> Residual:
    distance_m, angle_deg = se3.pose_error(expected, now.map_T_cam)
    sum_of_both = before.covariance + now.covariance
    sigma_m, sigma_rad = largest_sigma(sum_of_both[:3, :3]), largest_sigma(sum_of_both[3:, 3:])
    return Residual(distance_m, angle_deg, config.gate_floor_m + config.gate_sigmas * (sigma_m + way_m * sigma_rad)
                    + drift_m,
                    config.gate_floor_deg + config.gate_sigmas * float(np.rad2deg(sigma_rad)) + drift_deg, by_odometry)


def _by_speed(before: Sighting, now: Sighting, config: TrackerConfig) -> tuple[np.ndarray, float, float, float]:
    """Return the expected pose (4, 4), its uncertainty in metres and degrees, and the way in metres that led there:
    unknown, 0."""
    seconds = abs(now.stamp_ns - before.stamp_ns) / NANOSECONDS
    return before.map_T_cam, config.max_speed_m_s * seconds, config.max_turn_deg_s * seconds, 0.0


def _by_odometry(before: Sighting, now: Sighting, config: TrackerConfig) -> tuple[np.ndarray, float, float, float]:
    """Return the same as `_by_speed`, from the odometry."""
    then, here = before.reading, now.reading
    way_m, turned_deg = here.travelled_m - then.travelled_m, here.turned_deg - then.turned_deg
    drift_deg = config.drift_share * turned_deg + config.drift_deg_per_m * way_m
    drift_m = config.drift_share * way_m + 0.5 * float(np.deg2rad(drift_deg)) * way_m
    return before.map_T_cam @ se3.inverse(then.odom_T_cam) @ here.odom_T_cam, drift_m, drift_deg, way_m


def largest_sigma(covariance: np.ndarray) -> float:
    """Return the largest standard deviation in any direction of a covariance (3, 3)."""
    return float(np.sqrt(max(0.0, np.linalg.eigvalsh(covariance)[-1])))


class Odometer:
    """Follows the odometry from image to image: the way it has gone, where it jumped, and whether it can be believed.

    Attributes:
        believed: False once the poses have shown that it does not tell the motion: frozen, or slipping.
    """

    def __init__(self) -> None:
        self.believed = True
        self._last: Reading | None = None
        self._last_ns = 0
        self._witness: Sighting | None = None

    def read(self, odom_T_cam: np.ndarray | None, stamp_ns: int, config: TrackerConfig) -> Reading | None:
        """Take the odometry at an image and return its reading; None where there is none.

        A step that is larger than the largest speed allows counts as a jump.
        """
        if odom_T_cam is None:
            return None
        last = self._last or Reading(odom_T_cam, 0.0, 0.0, 0)
        step_m, step_deg = se3.pose_error(last.odom_T_cam, odom_T_cam)
        seconds = (stamp_ns - self._last_ns) / NANOSECONDS if self._last else 0.0
        bound_m = config.gate_floor_m + config.max_speed_m_s * seconds
        bound_deg = config.gate_floor_deg + config.max_turn_deg_s * seconds
        jumped = step_m > bound_m or step_deg > bound_deg
        self._last_ns = stamp_ns
        self._last = Reading(odom_T_cam, last.travelled_m + min(step_m, bound_m),
                             last.turned_deg + min(step_deg, bound_deg),
                             last.jumps + jumped)
        return self._last

    def doubt(self, seen: Sighting) -> None:
        """Stop believing the odometry from this sighting on."""
        self.believed, self._witness = False, seen

    def judge(self, seen: Sighting, config: TrackerConfig) -> None:
        """Believe again once the odometry tells the motion between two trusted sightings that are far apart."""
        if self.believed or self._witness is None:
            return
        moved_m, turned_deg = se3.pose_error(self._witness.map_T_cam, seen.map_T_cam)
        if max(moved_m / PROOF_M, turned_deg / PROOF_DEG) >= 1:
            gap = residual(self._witness, seen, config)
            self.believed = gap.by_odometry and gap.agrees
            self._witness = seen
