"""How long the unit of a map by a camera alone is in metres: told by depth or odometry that comes later."""

from __future__ import annotations

from collections import deque

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose

MIN_CODES, DEPTH_VIEWS = 20, 5
"""Codes with depth in a view that count, and such views that must agree."""

STEP_M, STEPS = 0.15, 8
"""The way by odometry between two measurements of it, and how many must agree."""

AGREE = 0.1
"""Measurements agree when the middle half of them lies within this share of their median."""


class MetricScale:
    """Compares what a map without a scale says with what is measured in metres."""

    def __init__(self, map_code: MapCode) -> None:
        self._map = map_code
        self.forget()

    def forget(self) -> None:
        """Begin again: the camera is elsewhere."""
        self._by_depth: deque[float] = deque(maxlen=DEPTH_VIEWS)
        self._by_odometry: deque[float] = deque(maxlen=STEPS)
        self._from: tuple[np.ndarray, np.ndarray] | None = None

    def add(self, frame: Frame, look: Look, seen: SeenPose) -> float | None:
        """Return how many metres the unit of length is, once enough measurements agree.

        Args:
            look: at the frame, with its depth.
            seen: its pose in the map.
        """
        self._add_depth(look, seen)
        self._add_odometry(frame.odom_T_cam, seen.world_T_cam)
        found = _agreed(self._by_depth)
        return found if found is not None else _agreed(self._by_odometry)

    def _add_depth(self, look: Look, seen: SeenPose) -> None:
        if len(seen.rows) == 0:
            return
        ahead = project(look.pinhole, se3.inverse(seen.world_T_cam), self._map.codes["positions_m"][seen.rows])[1]
        depths_m = look.depths_m[seen.features]
        known = (depths_m > 0) & (ahead > 0)
        if known.sum() >= MIN_CODES:
            self._by_depth.append(float(np.median(depths_m[known] / ahead[known])))

    def _add_odometry(self, odom_T_cam: np.ndarray | None, world_T_cam: np.ndarray) -> None:
        if odom_T_cam is None:
            self._from = None
            return
        if self._from is None:
            self._from = odom_T_cam, world_T_cam
        odom_T_before, world_T_before = self._from
        way_m = float(np.linalg.norm(odom_T_cam[:3, 3] - odom_T_before[:3, 3]))
        if way_m < STEP_M:
            return
        way = float(np.linalg.norm(world_T_cam[:3, 3] - world_T_before[:3, 3]))
        self._by_odometry.append(way_m / max(way, 1e-9))
        self._from = odom_T_cam, world_T_cam


def _agreed(metres: deque[float]) -> float | None:
    """Return the median of the newest measurements when there are enough that agree."""
    if len(metres) != metres.maxlen:
        return None
    low, median, high = np.percentile(metres, [25, 50, 75])
    return float(median) if high - low <= AGREE * median else None
