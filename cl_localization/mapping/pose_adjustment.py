"""Given poses and what their images say of them: moved only as far as the observations demand.

Poses of structure from motion or of a calibrated rig are better than what the matches of one drive can tell: adjusted
freely, they bend by what matches err together. Poses of odometry or of a depth sensor's tracking are off by pixels.
Which of the two they are shows before anything is triangulated: in how far matches lie from their epipolar lines.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import TriangulationConfig
from cl_localization.geometry import se3
from cl_localization.geometry.bundle_adjustment import PosePrior, adjusted
from cl_localization.geometry.triangulation import Observations, epipolar_angles, epipolar_distances
from cl_localization.localization.matching import mutual_matches_at_angles
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View

EXACT_MEDIAN_PX = 1.2
"""Keypoints alone bring the median epipolar distance to this at most [px of a 640 px wide image]; measured with exact
poses: 0.5 (kitti_1), 0.9 (terrace), 1.1 (simulated house). RedKitchen, whose poses are off, has 1.7."""

RANGE_PX, BIN_PX, BACKGROUND_PX = 16.0, 0.25, 12.0
"""Distances up to the first are counted; those beyond the last are wrong matches, which lie anywhere."""

MIN_SIMILARITY = 0.75
ENOUGH_MATCHES = 300
MEDIAN_TO_SIGMA = 1.4826
POINTS_PER_VIEW = 150
"""Poses are adjusted to the points of each view that most views see; more of them cost time and change nothing."""


def matched_features(a: View, b: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features of view a and of view b (N,) that are each other's best, their cosine similarity (N,), and how
    far (N,) they lie from their epipolar lines, in pixels of view b. Those of b show no code yet.

    Only features within `RANGE_PX` of their epipolar lines compete, and some that are farther: a sixth of all.
    """
    of_b = b.unlinked()
    at_a_rad, at_b_rad, aside = epipolar_angles(a.world_T_cam, a.rays, b.world_T_cam, b.rays[of_b])
    within = pixels_in(b.camera, RANGE_PX) / b.camera.focal_px
    reach_rad = np.where(aside > within, np.arcsin(within / np.maximum(aside, within)), np.pi)
    row, best_b, similarity = mutual_matches_at_angles(a.features.descriptors, b.features.descriptors[of_b],
                                                       MIN_SIMILARITY, at_a_rad, at_b_rad, reach_rad)
    of_b = of_b[best_b]
    distance = epipolar_distances(a.world_T_cam, a.rays[row], b.world_T_cam, b.rays[of_b])
    return row, of_b, similarity, distance * b.camera.focal_px


class EpipolarScatter:
    """How far matches lie from their epipolar lines, counted."""

    def __init__(self) -> None:
        self._edges = np.arange(0.0, RANGE_PX + BIN_PX, BIN_PX)
        self._counts = np.zeros(len(self._edges) - 1)

    def add(self, distances_px: np.ndarray) -> None:
        """Count distances (N,), in pixels of a reference image."""
        self._counts += np.histogram(distances_px, self._edges)[0]

    def median_px(self) -> float | None:
        """Return the median distance of right matches; None where there are too few."""
        wrong = self._counts[self._edges[:-1] >= BACKGROUND_PX].mean()
        right = np.cumsum(np.maximum(self._counts - wrong, 0.0))
        if right[-1] < ENOUGH_MATCHES:
            return None
        return float(np.interp(0.5 * right[-1], np.concatenate([[0.0], right]), self._edges))

    def pose_sigma_px(self) -> float | None:
        """Return by how much poses move what they show, one standard deviation [px of a reference image]; 0 for exact
        ones, None where too few matches tell."""
        median_px = self.median_px()
        if median_px is None:
            return None
        return MEDIAN_TO_SIGMA * float(np.sqrt(max(median_px**2 - EXACT_MEDIAN_PX**2, 0.0) / 2))


def sampled(seen: Observations, view: np.ndarray,
            points_m: np.ndarray) -> tuple[Observations, np.ndarray, np.ndarray]:
    """Return all observations, their views, and the positions, of the points (P, 3) that are among those that most
    views see, in any of their views (O,); in place of positions, anything else of the points (P, ...)."""
    counts = seen.sums(np.ones(len(view)), len(points_m))
    order = np.lexsort((seen.point, -counts[seen.point], view))
    ordered = view[order]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    chosen = np.zeros(len(points_m), bool)
    chosen[seen.point[rank < POINTS_PER_VIEW]] = True
    return seen.of_points(chosen), view[chosen[seen.point]], points_m[chosen]


def adjusted_poses(views: list[View], seen: Observations, view: np.ndarray, points_m: np.ndarray,
                   moving: np.ndarray, config: TriangulationConfig, rotation_sigma_rad: float,
                   sigma_px: float) -> np.ndarray:
    """Return poses cam_T_world (K, 4, 4) of views, the moving ones (K,) adjusted to observations within what is known
    of those given.

    Args:
        seen, view: observations of points (P, 3) and the views (O,) they were made in.
        rotation_sigma_rad: how exact the given rotations are; that of positions goes with it as the options say.
        sigma_px: of an observation.
    """
    seen, view, points_m = sampled(seen, view, points_m)
    unit_m = float(np.median(np.linalg.norm(points_m[seen.point] - seen.centres_m, axis=1)))
    given, current = (se3.inverse(np.array(poses)) for poses in ([one.given_world_T_cam for one in views],
                                                                 [one.world_T_cam for one in views]))
    exactness = rotation_sigma_rad / np.deg2rad(config.pose_rotation_sigma_deg)
    prior = PosePrior(_scaled(given, 1 / unit_m), config.pose_position_sigma_share * exactness, rotation_sigma_rad,
                      ~moving)
    poses, _ = adjusted(_scaled(current, 1 / unit_m), points_m / unit_m, seen, view, prior, sigma_px)
    return _scaled(poses, unit_m)


def _scaled(cam_T_world: np.ndarray, factor: float) -> np.ndarray:
    """Return poses (K, 4, 4) in another unit of length."""
    scaled = cam_T_world.copy()
    scaled[:, :3, 3] *= factor
    return scaled
