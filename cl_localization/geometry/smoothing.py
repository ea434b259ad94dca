"""map -> odom that follows the poses without jumps: the robot moves in the map no faster than a bound allows."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from cl_localization.config import SmoothingConfig
from cl_localization.geometry import se3


class SmoothCorrection:
    """Goes from the correction in force to the newest one at bounded speed.

    The bound holds for the base, not for the origin of the odometry: far from that, a small turn is a long way.

    Attributes:
        map_T_odom: (4, 4) the correction in force; None before the first and after `reset`.
    """

    def __init__(self) -> None:
        self.map_T_odom: np.ndarray | None = None
        self._wanted = np.eye(4)
        self._odom_T_base = np.eye(4)

    def reset(self) -> None:
        """Have no correction in force: the next one is taken at once."""
        self.map_T_odom = None

    def aim(self, map_T_base: np.ndarray, odom_T_base: np.ndarray, at_once: bool) -> None:
        """Set where to go: the base's newest pose (4, 4) in the map, and in the odometry's frame; at once or
        smoothly."""
        self._wanted, self._odom_T_base = map_T_base @ se3.inverse(odom_T_base), odom_T_base
        if at_once or self.map_T_odom is None:
            self.map_T_odom = self._wanted

    def advance(self, seconds: float, config: SmoothingConfig) -> np.ndarray:
        """Go on for a time and return the correction then in force (4, 4); `aim` must have been called. Time that goes
        back is none."""
        now = self._wanted if self.map_T_odom is None else self.map_T_odom
        in_force, wanted = now @ self._odom_T_base, self._wanted @ self._odom_T_base
        distance_m, angle_deg = se3.pose_error(in_force, wanted)
        needed_s = max(distance_m / config.max_speed_m_s, angle_deg / config.max_turn_deg_s)
        if needed_s <= max(0.0, seconds):
            now = self._wanted
        elif seconds > 0:
            now = between(in_force, wanted, seconds / needed_s) @ se3.inverse(self._odom_T_base)
        self.map_T_odom = now
        return now


def between(world_T_a: np.ndarray, world_T_b: np.ndarray, share: float) -> np.ndarray:
    """Return the pose (4, 4) at a share of the way from one to the other: straight, turning evenly."""
    turn = Rotation.from_matrix(world_T_a[:3, :3].T @ world_T_b[:3, :3]).as_rotvec()
    result = np.eye(4)
    result[:3, :3] = world_T_a[:3, :3] @ se3.rotation_from_vector(share * turn)
    result[:3, 3] = (1 - share) * world_T_a[:3, 3] + share * world_T_b[:3, 3]
    return result
