"""Two keyframes that show the same: what their images alone say, against the poses, focal length and depth given.

The matches of two images that fit one epipolar geometry, whatever it is (RANSAC), are right for almost all. So the
share of them that fits the geometry of the given poses needs no map, and no threshold that depends on the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import poselib

from cl_localization.geometry import se3
from cl_localization.geometry.triangulation import homogeneous, ray_midpoints
from cl_localization.localization.matching import mutual_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.audit.readings import READINGS

STRONGEST = 500
"""Features of an image that are matched: enough to judge, and cheap."""

MIN_SIMILARITY = 0.8
MAX_ERROR_PX = 3.0
"""Largest distance of a match from its epipolar line [px of a 640 px wide image]."""

MIN_MATCHES, MIN_SHARE = 40, 0.5
"""Two images show the same when so many of their matches, and this share of them, fit one epipolar geometry."""

MIN_PARALLAX_DEG, MIN_POINTS = 1.5, 10
"""The depth of a point is triangulated under at least this angle; fewer points of two images say nothing."""

FAR_DEG = 0.5
"""Rays that are this parallel may meet behind the cameras, by noise."""

FOCAL_FACTORS = np.array([1.0, *(power for factor in (1.05, 1.1, 1.15, 1.2, 1.25, 1.4, 1.6, 2.0)
                                 for power in (1 / factor, factor))])
"""Tried factors of the focal length, as given first."""

LEAST_BASELINE = 1e-9


@dataclass(frozen=True, eq=False)
class AuditedView:
    """The strongest features of a keyframe.

    Attributes:
        keyframe: its number in the map.
        scene: number of its scene.
        world_T_cam: (4, 4) the pose given with the image.
        rays: (N, 2) normalized coordinates.
        descriptors: (N, D).
        depths_m: (N,) measured depth, 0 where unknown.
        max_error: largest distance of a match from its epipolar line, in normalized coordinates.
        place: (256,) unit descriptor of the whole image.
    """

    keyframe: int
    scene: int
    world_T_cam: np.ndarray
    rays: np.ndarray
    descriptors: np.ndarray
    depths_m: np.ndarray
    max_error: float
    place: np.ndarray

    @classmethod
    def of(cls, view: View, depths_m: np.ndarray, place: np.ndarray) -> AuditedView:
        """Return the view of a view with the measured depths (N,) of its features."""
        return cls(view.keyframe, view.scene, view.given_world_T_cam, view.rays[:STRONGEST],
                   view.features.descriptors[:STRONGEST], depths_m[:STRONGEST],
                   pixels_in(view.camera, MAX_ERROR_PX) / view.camera.focal_px, place)


@dataclass(frozen=True, eq=False)
class ImagePair:
    """Matches of two views that fit one epipolar geometry: rays (N, 2) in both, depth (N,) in the first, 0 unknown."""

    first: AuditedView
    second: AuditedView
    rays_first: np.ndarray
    rays_second: np.ndarray
    depths_m: np.ndarray

    @property
    def max_error(self) -> float:
        """Largest distance of a match from its epipolar line, in normalized coordinates."""
        return max(self.first.max_error, self.second.max_error)


@dataclass(frozen=True)
class PairEvidence:
    """What a pair of images says of what was given with them.

    Attributes:
        agreement: share of its matches that fit the given poses, under each of `READINGS`.
        focal_agreement: as given, but with the focal length times each of `FOCAL_FACTORS`.
        error_px: median distance of matches from the epipolar lines of the given poses [px of a 640 px wide image].
        depth_ratio: median of measured over triangulated depth; NaN where there is too little of both.
    """

    agreement: tuple[float, ...]
    focal_agreement: tuple[float, ...]
    error_px: float
    depth_ratio: float


def matched_pair(first: AuditedView, second: AuditedView) -> ImagePair | None:
    """Return the matches of two views that fit one epipolar geometry; None where the images do not show the same."""
    if min(len(first.rays), len(second.rays)) < MIN_MATCHES:
        return None
    of_first, of_second, _ = mutual_matches(first.descriptors, second.descriptors, MIN_SIMILARITY)
    if len(of_first) < MIN_MATCHES:
        return None
    good = _of_one_geometry(first.rays[of_first], second.rays[of_second], max(first.max_error, second.max_error))
    if good.sum() < max(MIN_MATCHES, MIN_SHARE * len(good)):
        return None
    of_first, of_second = of_first[good], of_second[good]
    return ImagePair(first, second, first.rays[of_first], second.rays[of_second], first.depths_m[of_first])


def _of_one_geometry(rays_first: np.ndarray, rays_second: np.ndarray, max_error: float) -> np.ndarray:
    """Return which matches (N,) fit the epipolar geometry that most of them fit."""
    normalized = {"model": "PINHOLE", "width": 2, "height": 2, "params": [1.0, 1.0, 0.0, 0.0]}
    ransac = {"max_epipolar_error": max_error, "max_iterations": 300, "min_iterations": 50, "seed": 0}
    _, found = poselib.estimate_relative_pose(rays_first.astype(np.float64), rays_second.astype(np.float64),
                                              normalized, normalized, ransac, {})
    return np.asarray(found["inliers"], bool)


def evidence_of(pair: ImagePair) -> PairEvidence:
    """Return what a pair says of the poses, focal length and depth given with its images."""
    given = pair.first.world_T_cam, pair.second.world_T_cam
    meant = [np.array([reading.as_meant(pose) for reading in READINGS]) for pose in given]
    agreement = agreements_with(pair, meant[0], meant[1], np.ones(len(READINGS)))
    focal_agreement = agreements_with(pair, given[0][None], given[1][None], FOCAL_FACTORS)
    errors = epipolar_errors(given, pair.rays_first, pair.rays_second)
    return PairEvidence(tuple(agreement.tolist()), tuple(focal_agreement.tolist()),
                        float(np.median(errors)) / pair.max_error * MAX_ERROR_PX, _depth_ratio(pair))


def agreements_with(pair: ImagePair, world_T_first: np.ndarray, world_T_second: np.ndarray,
                    focal_factors: np.ndarray, tolerance: float = 1.0) -> np.ndarray:
    """Return the shares (B,) of a pair's matches that fit two poses: near their epipolar lines, and in front of both
    cameras.

    Args:
        world_T_first, world_T_second: (B, 4, 4), or (1, 4, 4) for all.
        focal_factors: (B,) the focal length was this many times the given one.
        tolerance: so many times as far from their epipolar lines as matches of neighbours may be.
    """
    rays_first, rays_second = (rays / focal_factors[:, None, None] for rays in (pair.rays_first, pair.rays_second))
    errors = epipolar_errors((world_T_first, world_T_second), rays_first, rays_second)
    points_m, parallax_deg = ray_midpoints(world_T_first, rays_first, world_T_second, rays_second)
    in_front = np.logical_and(*(_depths(world_T_cam, points_m) > 0 for world_T_cam in (world_T_first, world_T_second)))
    near = errors < tolerance * pair.max_error / focal_factors[:, None]
    return np.mean(near & (in_front | (parallax_deg < FAR_DEG)), axis=1)


def _depths(world_T_cam: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Return how far (..., N) points (..., N, 3) lie ahead of cameras (..., 4, 4)."""
    return ((points_m - world_T_cam[..., None, :3, 3]) @ world_T_cam[..., :3, 2:3])[..., 0]


def epipolar_errors(world_T_cams: tuple[np.ndarray, np.ndarray], rays_first: np.ndarray,
                    rays_second: np.ndarray) -> np.ndarray:
    """Return the Sampson distances (..., N) of matches (..., N, 2) from the epipolar geometry of two poses (..., 4, 4),
    in normalized coordinates."""
    second_T_first = se3.inverse(world_T_cams[1]) @ world_T_cams[0]
    baseline = second_T_first[..., :3, 3]
    length = np.linalg.norm(baseline, axis=-1, keepdims=True)
    # from one position, any direction does: what the rotation explains lies on every line
    direction = np.where(length > LEAST_BASELINE, baseline / np.maximum(length, LEAST_BASELINE), [1.0, 0.0, 0.0])
    essential = se3.skew(direction) @ second_T_first[..., :3, :3]
    first, second = homogeneous(rays_first), homogeneous(rays_second)
    lines_second, lines_first = first @ np.swapaxes(essential, -1, -2), second @ essential
    slope = np.sqrt((lines_second[..., :2] ** 2).sum(axis=-1) + (lines_first[..., :2] ** 2).sum(axis=-1))
    return np.abs((second * lines_second).sum(axis=-1)) / np.maximum(slope, 1e-12)


def _depth_ratio(pair: ImagePair) -> float:
    """Return the median of measured over triangulated depth, NaN where too few points have both."""
    points_m, parallax_deg = ray_midpoints(pair.first.world_T_cam, pair.rays_first, pair.second.world_T_cam,
                                           pair.rays_second)
    triangulated_m = _depths(pair.first.world_T_cam, points_m)
    usable = (pair.depths_m > 0) & (parallax_deg > MIN_PARALLAX_DEG) & (triangulated_m > 0)
    if usable.sum() < MIN_POINTS:
        return float("nan")
    return float(np.median(pair.depths_m[usable] / triangulated_m[usable]))
