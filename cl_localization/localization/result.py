"""What localizing an image comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cl_localization.places.place_index import Place


@dataclass(eq=False)
class Localization:
    """Where an image was taken, and on what evidence.

    Attributes:
        stamp_ns: of the image.
        accepted: whether the pose may be used; `reason` says "ok" or why not.
        world_T_cam: (4, 4) the estimate, also when it was not accepted; None when there is none.
        covariance: (6, 6) of x y z [m] and rotation about x y z [rad], in world axes; None without a pose.
        keypoints, matches, inliers: how many features were found, matched to the map, and agree with the pose.
        inlier_ratio: share of the matches that agreed with the pose before it guided the matching.
        reprojection_error_px: median over the inliers.
        inlier_keypoints_px, inlier_points_m: the inliers, (I, 2) in the image as it came and (I, 3).
        scene: the scene most inliers belong to.
        place: of the pose if it is accepted, else the one that this image and those before it look most like; None for
            none.
        place_check: whether the place that the images look like agrees with the accepted pose; empty when one of them
            is unsure.
        timings_s: seconds by step.
    """

    stamp_ns: int
    accepted: bool = False
    reason: str = "the map is empty"
    world_T_cam: np.ndarray | None = None
    covariance: np.ndarray | None = None
    keypoints: int = 0
    matches: int = 0
    inliers: int = 0
    inlier_ratio: float = 0.0
    reprojection_error_px: float = float("nan")
    inlier_keypoints_px: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    inlier_points_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    scene: str = ""
    place: Place | None = None
    place_check: str = ""
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def support(self) -> float:
        """Inliers among the unguided matches times their share."""
        return self.matches * self.inlier_ratio**2
