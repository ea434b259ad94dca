"""A robot on a plane and what a localizer says of its images, for the tests of tracking."""

from __future__ import annotations

import itertools

import numpy as np

from cl_localization.geometry.se3 import inverse
from cl_localization.localization.result import Localization
from core_makers import motion

SECOND = 1_000_000_000
PERIOD_NS = SECOND // 10
START_NS = 1000 * SECOND
SUPPORT_RATIO = 1.0


def at(x_m: float, y_m: float = 0.0, yaw_deg: float = 0.0) -> np.ndarray:
    """Return a pose (4, 4) on the plane."""
    return motion(np.array([0, 0, np.deg2rad(yaw_deg)]), np.array([x_m, y_m, 0.0]))


def found(map_T_cam: np.ndarray | None, stamp_ns: int, support: float = 60.0, sigma_m: float = 0.01) -> Localization:
    """Return an accepted pose with some support; None for an image without one."""
    if map_T_cam is None:
        return Localization(stamp_ns, reason="12 inliers, 30 needed")
    return Localization(stamp_ns, True, "ok", map_T_cam, np.eye(6) * sigma_m**2, matches=round(support),
                        inlier_ratio=SUPPORT_RATIO)


def odometry(poses: list[np.ndarray], start: np.ndarray = np.eye(4), scale: float = 1.0) -> list[np.ndarray]:
    """Return odom_T_cam of poses in the map for odometry that begins at `start` and measures the way with a wrong
    scale."""
    readings = [start]
    for before, now in itertools.pairwise(poses):
        step = inverse(before) @ now
        step[:3, 3] *= scale
        readings.append(readings[-1] @ step)
    return readings
