"""The start of a map without depth: two views with enough parallax between them tell how far away things are; how far
in metres, only odometry tells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.two_views import TwoViewGeometry, two_view_geometry
from cl_localization.localization.matching import mutual_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.mapping.slam.depth_pose import Look

MIN_SIMILARITY, THRESHOLD_PX = 0.82, 1.5
MAX_ITERATIONS, SEED = 2000, 0

MIN_POINTS, MIN_SHARE, MIN_PARALLAX_DEG = 60, 0.5, 1.0
"""Points, and share of the matches, that must have enough parallax (angle between their two rays): far things alone
tell no distance, and neither does a turn."""

MAX_PLANAR_SHARE = 0.9
"""Two views of a plane have two explanations: such are not begun with, unless odometry tells which one is right."""

MAX_FRAMES = 90
"""Frames that wait for a start; of more, the oldest but the first are given up."""

UNIT_M = 2.0
"""Without a scale, what is seen first is taken to be this far away, so that lengths which other options give in metres
are right for rooms, and right in proportion elsewhere."""

MIN_STEP_M, MAX_OFF_DEG = 0.02, 30.0
"""Odometry tells the scale when it has moved this far, in about the direction that the images say."""


@dataclass(frozen=True, eq=False)
class Start:
    """Two views to begin a map with.

    Attributes:
        frames: the first view, those between, and the second view.
        first_T_second: (4, 4).
        is_metric: whether its length is known, by odometry.
    """

    frames: list[tuple[Frame, Look]]
    first_T_second: np.ndarray
    is_metric: bool


class TwoViewStart:
    """Keeps a first view until another one shows the same from far enough beside."""

    def __init__(self) -> None:
        self._frames: list[tuple[Frame, Look]] = []

    def forget(self) -> None:
        """Have nothing seen yet."""
        self._frames = []

    def add(self, frame: Frame, look: Look) -> Start | None:
        """Return a start that ends with this frame; None as long as there is none."""
        if self._frames and self._frames[0][0].odom_T_cam is None and frame.odom_T_cam is not None:
            self._frames = []  # now that there is odometry, both views are to have it
        self._frames.append((frame, look))
        if len(self._frames) > MAX_FRAMES:
            del self._frames[1]
        first_frame, first = self._frames[0]
        row, other, _ = mutual_matches(first.features.descriptors, look.features.descriptors, MIN_SIMILARITY)
        if len(row) < MIN_POINTS:  # the first view is out of sight
            self._frames = [(frame, look)]
            return None
        first_px, second_px = first.features.keypoints_px[row], look.features.keypoints_px[other]
        views = two_view_geometry(look.pinhole, first_px, second_px, pixels_in(look.pinhole, THRESHOLD_PX),
                                  MAX_ITERATIONS, SEED)
        if views is None:
            return None
        near = views.parallax_deg > MIN_PARALLAX_DEG
        if near.sum() < max(MIN_POINTS, MIN_SHARE * len(near)):
            return None
        return self._scaled(views, _odometry_step(first_frame, frame), float(np.median(views.points[near, 2])))

    def _scaled(self, views: TwoViewGeometry, step: np.ndarray | None, distance: float) -> Start | None:
        """Return a start, given the way (4, 4) between the two by odometry, and how far away what they see is if it was
        of length 1; None if odometry says something else, or nothing to tell a plane by."""
        first_T_second = views.first_T_second.copy()
        if step is None:
            first_T_second[:3, 3] *= UNIT_M / distance
            return Start(self._frames, first_T_second, False) if views.planar_share < MAX_PLANAR_SHARE else None
        way_m = float(np.linalg.norm(step[:3, 3]))
        if way_m < MIN_STEP_M or step[:3, 3] @ first_T_second[:3, 3] < np.cos(np.deg2rad(MAX_OFF_DEG)) * way_m:
            return None
        first_T_second[:3, 3] *= way_m
        return Start(self._frames, first_T_second, True)


def _odometry_step(first: Frame, second: Frame) -> np.ndarray | None:
    """Return first_T_second (4, 4) by odometry, where both have it."""
    if first.odom_T_cam is None or second.odom_T_cam is None:
        return None
    return se3.inverse(first.odom_T_cam) @ second.odom_T_cam
