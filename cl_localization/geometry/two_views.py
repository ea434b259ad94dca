"""How two cameras lie to each other, up to the length of the way between them: from matches of their images alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import poselib_camera, project
from cl_localization.geometry.triangulation import ray_midpoints

FEWEST_MATCHES = 8
PLANE_FACTOR = 2.0
"""Points of one plane lie within this many times the threshold of where a homography has them."""


@dataclass(frozen=True, eq=False)
class TwoViewGeometry:
    """Two views and what they see.

    Attributes:
        first_T_second: (4, 4), its translation of length 1.
        matches: (P,) which matches agree with it.
        points: (P, 3) of those, in the first view.
        parallax_deg: (P,) angles between the rays of each.
        planar_share: share of them that would lie in one plane, or far away.
    """

    first_T_second: np.ndarray
    matches: np.ndarray
    points: np.ndarray
    parallax_deg: np.ndarray
    planar_share: float


def two_view_geometry(camera: Camera, first_px: np.ndarray, second_px: np.ndarray, threshold_px: float,
                      max_iterations: int, seed: int) -> TwoViewGeometry | None:
    """Return what most matches of two images of a camera agree with; None where there is nothing (LO-RANSAC of
    PoseLib).

    Args:
        camera: a pinhole camera; keypoints must be undistorted.
        first_px, second_px: matches (N, 2).
        threshold_px: largest distance of a match from its epipolar line.
    """
    if len(first_px) < FEWEST_MATCHES:
        return None
    first_px, second_px = first_px.astype(np.float64), second_px.astype(np.float64)
    model = poselib_camera(camera)
    pose, info = poselib.estimate_relative_pose(
        first_px, second_px, model, model,
        {"max_epipolar_error": threshold_px, "max_iterations": max_iterations, "seed": seed}, {})
    agree = np.flatnonzero(np.asarray(info["inliers"], bool))
    second_T_first = np.eye(4)
    second_T_first[:3, :3], second_T_first[:3, 3] = pose.R, pose.t
    first_T_second = se3.inverse(second_T_first)
    points, parallax_deg = ray_midpoints(np.eye(4), camera.normalize(first_px[agree]), first_T_second,
                                         camera.normalize(second_px[agree]))
    good = np.isfinite(points).all(axis=1)
    for cam_T_first, seen_px in ((np.eye(4), first_px), (second_T_first, second_px)):
        pixels, ahead = project(camera, cam_T_first, points)
        good &= (ahead > 0) & (np.linalg.norm(pixels - seen_px[agree], axis=1) < PLANE_FACTOR * threshold_px)
    agree, points, parallax_deg = agree[good], points[good], parallax_deg[good]
    if len(agree) < FEWEST_MATCHES:
        return None
    _, plane = poselib.estimate_homography(first_px[agree], second_px[agree],
                                           {"max_reproj_error": PLANE_FACTOR * threshold_px, "seed": seed}, {})
    return TwoViewGeometry(first_T_second, agree, points, parallax_deg, float(np.mean(plane["inliers"])))
