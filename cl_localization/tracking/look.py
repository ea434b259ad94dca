"""A look, that is a fully localized image, and how flow carries its pose to newer images in a tenth of the time.

The inliers of the look are found again in the newer image by optical flow. They are 2D-3D matches, from which PnP with
RANSAC gives the pose: points that move by themselves, on people for example, are its outliers.

Errors of the map move a point by about the same in both images. So a match is corrected by what it was off in the look:
an image without motion has exactly the look's pose, whichever points are lost, and outliers stand out among errors of
less than a pixel.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project, refined_pose, reprojection_errors_px, robust_pose
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.refinement import ERROR_TO_SIGMA, pixels_in
from cl_localization.localization.result import Localization
from cl_localization.tracking.flow import FlowImage, follow

MAX_POINTS = 120

OUTLIER_PX, LEAST_SIGMA_PX = 3.0, 0.2
"""Smallest error of an outlier, and least standard deviation of a followed point [px of a 640 px wide image]."""

RANSAC_ITERATIONS, REFINEMENTS, SEED = 100, 2, 0

MAJORITY = 0.5
"""Share of the points found again that must agree with the pose."""

VARIANCE = 4.0
"""The errors of followed points are correlated: the variance that flow adds is larger than stated by this factor.
Measured on RedKitchen and simulated houses; see docs/reliability.md."""


class Look:
    """A fully localized image, whose pose can be carried to newer images of the same camera.

    Attributes:
        found: the localization, accepted.
        camera: of the image.
        points: number of inliers that are followed.
    """

    def __init__(self, frame: Frame, found: Localization) -> None:
        """Choose at most `MAX_POINTS` inliers, evenly from the most to the least similar."""
        inliers = len(found.inlier_points_m)
        count = min(MAX_POINTS, inliers)
        self._rows = np.linspace(0, inliers - 1, count).astype(np.int64)
        self.found, self.camera, self.points = found, frame.camera, count
        self._image, self._pinhole = FlowImage.of(frame.image), frame.camera.pinhole()
        keypoints_px, self._points_m = found.inlier_keypoints_px[self._rows], found.inlier_points_m[self._rows]
        self._positions_px = self._image.from_keypoints(keypoints_px)
        projected_px, _ = project(self._pinhole, se3.inverse(found.world_T_cam), self._points_m)
        self._map_errors_px = self.camera.undistort(keypoints_px) - projected_px

    def carry(self, image: FlowImage, stamp_ns: int, predicted_world_T_cam: np.ndarray,
              config: PoseConfig) -> Localization:
        """Return the pose of a newer image, accepted by the same rule as that of a full localization.

        Its evidence (matches, support, place) is that of the look; its covariance is that of the look plus what flow
        adds.

        Args:
            predicted_world_T_cam: (4, 4) roughly the pose.
        """
        started_s = time.perf_counter()
        followed, positions_px = follow(self._image, image, self._positions_px,
                                        self._predicted_motion_px(predicted_world_T_cam))
        keypoints_px = image.to_keypoints(positions_px)
        matched_px = self.camera.undistort(keypoints_px) - self._map_errors_px[followed]
        first = robust_pose(self._pinhole, matched_px, self._points_m[followed], pixels_in(self._pinhole, OUTLIER_PX),
                            RANSAC_ITERATIONS, SEED)
        carried = replace(self.found, stamp_ns=stamp_ns, carried_ns=stamp_ns - self.found.stamp_ns)
        if first is None or first.inliers.mean() < MAJORITY:
            reason = f"flow lost the pose: of {self.points} points, {len(followed)} were found again"
            return replace(carried, accepted=False, reason=reason, world_T_cam=None, covariance=None, inliers=0,
                           timings_s={"flow": time.perf_counter() - started_s})
        points = followed[first.inliers]
        cam_T_world, covariance, error_px = self._refined(first.cam_T_world, matched_px[first.inliers],
                                                          self._points_m[points])
        rows = self._rows[points]
        return accept_or_reject(replace(
            carried, world_T_cam=se3.inverse(cam_T_world), covariance=self.found.covariance + VARIANCE * covariance,
            inliers=len(rows), reprojection_error_px=error_px, inlier_features=self.found.inlier_features[rows],
            inlier_codes=self.found.inlier_codes[rows], inlier_points_m=self.found.inlier_points_m[rows],
            inlier_keypoints_px=keypoints_px[first.inliers],
            timings_s={"flow": time.perf_counter() - started_s}), config)

    def _predicted_motion_px(self, predicted_world_T_cam: np.ndarray) -> np.ndarray:
        """Return how far (N, 2) the points should have moved in the reduced image; 0 for those out of view."""
        before, after = (se3.transform(se3.inverse(pose), self._points_m)
                         for pose in (self.found.world_T_cam, predicted_world_T_cam))
        visible = (before[:, 2] > 0) & (after[:, 2] > 0)
        visible[visible] = self.camera.contains(self.camera.project(after[visible]))
        motion_px = np.zeros((self.points, 2), np.float32)
        motion_px[visible] = (self.camera.project(after[visible])
                              - self.camera.project(before[visible])) * self._image.scale
        return motion_px

    def _refined(self, cam_T_world: np.ndarray, matched_px: np.ndarray,
                 points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return a pose (4, 4) refined to matches, its covariance (6, 6), and the median of their errors."""
        errors_px = reprojection_errors_px(self._pinhole, cam_T_world, matched_px, points_m)
        sigma_px = max(pixels_in(self._pinhole, LEAST_SIGMA_PX), ERROR_TO_SIGMA * float(np.median(errors_px)))
        cam_T_world, covariance = refined_pose(self._pinhole, cam_T_world, matched_px, points_m,
                                               np.full(len(points_m), sigma_px), REFINEMENTS)
        errors_px = reprojection_errors_px(self._pinhole, cam_T_world, matched_px, points_m)
        return cam_T_world, covariance, float(np.median(errors_px))
