"""What localizing an image comes to: one result, filled in step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cl_localization.places.place_index import Place


def _no_indices() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Localization:
    """Where an image was taken, and on what evidence.

    Attributes:
        stamp_ns: of the image.
        accepted: whether the pose may be used; `reason` is "ok" or says why not.
        world_T_cam: (4, 4) the estimate, also when it was not accepted; None when there is none.
        covariance: (6, 6) of x y z [m] and rotation about x y z [rad], in world axes; None without a pose.
        keypoints, matches, inliers: how many features were found, matched to the map without guidance (twice those
            of every second one, where these told the pose), and agree with the pose, guided matches included.
        inlier_ratio: share of the unguided matches that agreed with the first pose.
        reprojection_error_px: median over the inliers.
        inlier_features, inlier_codes, inlier_points_m: (I,) features, (I,) codes of the map and (I, 3) their positions.
        inlier_keypoints_px: (I, 2) where the inliers lie in the image as it came.
        explained: share of the features searched that agree with the pose.
        rival_inliers: features that agree with another pose instead; 0 where there is none, or none was searched.
        expected: how many codes the map should show at the pose, hidden ones included, for each feature searched; 0
            where no rival was searched.
        scene: the scene that the inliers belong to.
        place: of the pose if it is accepted, else the one that the last images look most like; None for none.
        place_check: whether that place agrees with the accepted pose; empty when one of them is unsure.
        timings_s: seconds by step.
        unguided_world_T_cam: (4, 4) the estimate before guided matching and refinement; None without a pose.
        carried_ns: time from the image that was localized to this one, where flow carried the pose; 0 if it is this
            image.
    """

    stamp_ns: int = 0
    accepted: bool = False
    reason: str = "the map is empty"
    world_T_cam: np.ndarray | None = None
    covariance: np.ndarray | None = None
    keypoints: int = 0
    matches: int = 0
    inliers: int = 0
    inlier_ratio: float = 0.0
    reprojection_error_px: float = float("nan")
    inlier_features: np.ndarray = field(default_factory=_no_indices)
    inlier_codes: np.ndarray = field(default_factory=_no_indices)
    inlier_points_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    inlier_keypoints_px: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    explained: float = 0.0
    rival_inliers: int = 0
    expected: float = 0.0
    scene: str = ""
    place: Place | None = None
    place_check: str = ""
    timings_s: dict[str, float] = field(default_factory=dict)
    unguided_world_T_cam: np.ndarray | None = None
    carried_ns: int = 0

    @property
    def looked_ns(self) -> int:
        """Timestamp of the image that was localized: this one, unless flow carried the pose."""
        return self.stamp_ns - self.carried_ns

    @property
    def support(self) -> float:
        """Inliers among the unguided matches times their share of these.

        Guided matches agree by construction. Another place yields either few inliers (furniture that looks alike) or a
        small share of them (chance).
        """
        return self.matches * self.inlier_ratio**2

    @property
    def viewing_distance_m(self) -> float:
        """Median distance from the camera to the inliers; NaN without a pose or inliers."""
        return float(np.median(self._distances_m)) if len(self._distances_m) else float("nan")

    @property
    def telling_distance_m(self) -> float:
        """Distance at which as many inliers, were all of them there, would tell the position as well; NaN without a
        pose or inliers.

        What is near counts most: a city behind a railing tells how a camera is turned, and nothing of where it is.
        """
        return float(np.mean(self._distances_m**-2.0) ** -0.5) if len(self._distances_m) else float("nan")

    @property
    def _distances_m(self) -> np.ndarray:
        if self.world_T_cam is None:
            return np.zeros(0)
        return np.linalg.norm(self.inlier_points_m - self.world_T_cam[:3, 3], axis=1)

    def __repr__(self) -> str:
        where = "no pose" if self.world_T_cam is None else f"at {np.round(self.world_T_cam[:3, 3], 3).tolist()} m"
        return f"Localization({self.reason}, {where}, {self.inliers} inliers, support {self.support:.1f})"
