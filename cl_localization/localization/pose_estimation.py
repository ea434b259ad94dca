"""Features and a map to a camera pose: match, solve robustly, match again near the pose, refine, accept or reject.

An image may also agree with two poses: what it shows was one rigid whole in the map, and is several now. When furniture
has been moved, all that is seen of a cupboard agrees on a pose, and all that is seen of the walls on another. The image
alone cannot tell which of the two stood still.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import PnPResult, reprojection_errors_px, robust_pose
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.covariance_calibration import (
    calibrated,
    depth_jackknife,
    variance_factor_of,
    widened,
)
from cl_localization.localization.matching import visible_codes
from cl_localization.localization.refinement import (
    MIN_MATCHES,
    exact_threshold_px,
    pixels_in,
    refined_in_map,
    searched_near,
)
from cl_localization.localization.regressor import Regressor, SceneCoordinates
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

CLEARLY_OFF = 2.0
"""Matches of another group lie at least this many inlier thresholds from where the pose has them."""

APART_SHARE, APART_DEG = 0.15, 10.0
"""Two poses are different when they are this share of the viewing distance or this angle apart."""

PEAKED_SHARE = 0.55
"""Where a map is exact, at least this share of the matches that agree to a few pixels (`exact_threshold_px`) agree to
half as many. Then those decide, as far points that agree loosely leave the position open. Elsewhere they scatter more.
"""

QUICK_TRIES, HARDLY_PEAKED_SHARE = 10, 0.5
"""Of a clear image so many tries from its first pose say whether a map is not exact: with less than this share half as
near. Of 300 images of RedKitchen, houses and outdoors it found all but one that are exact, and of the others 3 in 4."""

HOPELESS_SUPPORT = 3.0
"""Poses with less support are neither accepted nor tried again by default: they are not refined, which would be most of
the time that an image of another place takes."""

SAMPLED, CLEAR_SUPPORT = 2, 200.0
"""Every second feature is searched first. Where their pose has so much support, several times what a pose needs, the
others would move it by a millimetre (RedKitchen and simulated houses, median), and are left to guided matching."""


class PoseEstimator:
    """Estimates camera poses in one map.

    Attributes:
        config: may be replaced at any time.
    """

    def __init__(self, map_code: MapCode, regressor: Regressor, config: PoseConfig) -> None:
        self.config = config
        self._map, self._regressor = map_code, regressor

    def estimate(self, features: Features, camera: Camera) -> Localization:
        """Return the pose that features of a camera's image have in the map."""
        searched = features.select(slice(self.config.max_keypoints))
        keypoints_px, pinhole = camera.undistort(searched.keypoints_px), camera.pinhole()
        timings_s = {"search": 0.0, "solve": 0.0}
        for every in (SAMPLED, 1) if self._regressor.each_alone else (1,):
            started_s = time.perf_counter()
            coordinates = self._scene_coordinates(searched, every)
            matched_s = time.perf_counter()
            first = self._solve(pinhole, keypoints_px, coordinates)
            timings_s["search"] += matched_s - started_s
            timings_s["solve"] += time.perf_counter() - matched_s
            if first is not None and every * _support(first) >= CLEAR_SUPPORT:
                break
        found, solved_s = Localization(), time.perf_counter()
        if first is not None and _support(first) >= min(HOPELESS_SUPPORT, self.config.min_support):
            found = self._refine(searched, keypoints_px, pinhole, coordinates, first)
            timings_s["refine"] = time.perf_counter() - solved_s
        found = replace(found, keypoints=len(features), timings_s=timings_s,
                        matches=min(every * len(coordinates.features), len(searched)),
                        explained=found.inliers / max(len(searched), 1))
        return accept_or_reject(found, self.config)

    def with_rival(self, features: Features, camera: Camera, found: Localization) -> Localization:
        """Return a pose of these features with how many of them agree with another one, and how much the map should
        show at the pose."""
        searched, pinhole = features.select(slice(self.config.max_keypoints)), camera.pinhole()
        rivals = self._rival_inliers(searched, camera.undistort(searched.keypoints_px), pinhole, found)
        in_view, _ = visible_codes(self._map, pinhole, se3.inverse(found.world_T_cam), 0.0,
                                   self._map.scene_number(found.scene))
        return replace(found, rival_inliers=rivals, expected=len(in_view) / max(len(searched), 1))

    def _rival_inliers(self, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
                       found: Localization) -> int:
        """Return how many features that disagree with the pose found agree with another one; 0 for no other pose."""
        coordinates, threshold_px = self._scene_coordinates(features), self.config.inlier_threshold_px
        errors_px = reprojection_errors_px(pinhole, se3.inverse(found.world_T_cam), keypoints_px[coordinates.features],
                                           coordinates.points_m)
        free = np.setdiff1d(np.arange(len(features)), found.inlier_features)
        others = coordinates.select((errors_px >= CLEARLY_OFF * pixels_in(pinhole, threshold_px))
                                    & np.isin(coordinates.features, free))
        first = self._solve(pinhole, keypoints_px, others)
        if first is None:
            return 0
        rival = refined_in_map(self._map, features.select(free), keypoints_px[free], pinhole, first.cam_T_world,
                               threshold_px, self._scene_of(others))
        if rival is None:
            return 0
        apart_m, apart_deg = se3.pose_error(rival.world_T_cam, found.world_T_cam)
        is_another = apart_m > APART_SHARE * found.viewing_distance_m or apart_deg > APART_DEG
        return rival.inliers if is_another else 0

    def _scene_coordinates(self, features: Features, every: int = 1) -> SceneCoordinates:
        """Return the unambiguous matches of evenly chosen features, those of the scene that most of them belong to:
        scenes may overlap, one pose cannot."""
        coordinates = self._regressor.regress(features.select(slice(None, None, every)))
        coordinates = replace(coordinates, features=every * coordinates.features)
        coordinates = coordinates.select(coordinates.ambiguity <= self.config.max_ambiguity)
        scenes = self._map.codes["scenes"][coordinates.rows]
        return coordinates.select(scenes == np.bincount(scenes).argmax()) if len(scenes) else coordinates

    def _scene_of(self, coordinates: SceneCoordinates) -> int:
        return int(self._map.codes["scenes"][coordinates.rows[0]])

    def _solve(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates) -> PnPResult | None:
        """Return the pose that most matches agree with; None for none, or too few matches."""
        if len(coordinates.features) < MIN_MATCHES:
            return None
        threshold_px = pixels_in(pinhole, self.config.inlier_threshold_px)
        return robust_pose(pinhole, keypoints_px[coordinates.features], coordinates.points_m, threshold_px,
                           self.config.max_iterations, self.config.seed)

    def _solve_exactly(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates, tries: int,
                       start_cam_T_world: np.ndarray | None = None) -> tuple[PnPResult | None, float]:
        """Return the pose that most matches agree with to a few pixels, and the share of these that are half as near
        as they may be."""
        threshold_px = pixels_in(pinhole, exact_threshold_px(self.config))
        matched_px, points_m = keypoints_px[coordinates.features], coordinates.points_m
        found = robust_pose(pinhole, matched_px, points_m, threshold_px, tries, self.config.seed, start_cam_T_world)
        if found is None:
            return None, 0.0
        errors_px = reprojection_errors_px(pinhole, found.cam_T_world, matched_px, points_m)
        half, whole = (int(np.count_nonzero(errors_px < part * threshold_px)) for part in (0.5, 1.0))
        return found, half / max(whole, 1)

    def _exact(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates,
               first: PnPResult) -> tuple[bool, PnPResult, tuple[PnPResult, ...]]:
        """Return whether the map is exact, the pose that most matches agree with then to a few pixels, else the first
        pose, and what other estimates there are."""
        if _support(first) >= CLEAR_SUPPORT / SAMPLED:
            _, share = self._solve_exactly(pinhole, keypoints_px, coordinates, QUICK_TRIES, first.cam_T_world)
            if share < HARDLY_PEAKED_SHARE:
                return False, first, ()
        found, share = self._solve_exactly(pinhole, keypoints_px, coordinates, self.config.max_iterations)
        if found is None:
            return False, first, ()
        return (False, first, (found,)) if share < PEAKED_SHARE else (True, found, (found, first))

    def _refine(self, features: Features, keypoints_px: np.ndarray, pinhole: Camera, coordinates: SceneCoordinates,
                first: PnPResult) -> Localization:
        scene, inlier_ratio = self._scene_of(coordinates), float(first.inliers.mean())
        is_exact, start, others = self._exact(pinhole, keypoints_px, coordinates, first)
        threshold_px = exact_threshold_px(self.config) if is_exact else self.config.inlier_threshold_px
        found = refined_in_map(self._map, features, keypoints_px, pinhole, start.cam_T_world, threshold_px, scene)
        if found is None:
            return Localization(inlier_ratio=inlier_ratio)
        factor = variance_factor_of(self._map, scene, found.world_T_cam)
        shared = np.zeros((6, 6))
        if is_exact:
            found = searched_near(self._map, features, keypoints_px, pinhole, found, factor, self.config, scene)
            shared = depth_jackknife(self._map, keypoints_px, pinhole, found)
        found = replace(found, covariance=calibrated(found.covariance, factor) + shared, inlier_ratio=inlier_ratio,
                        scene=self._map.scene_names[scene] if found.inliers else "",
                        unguided_world_T_cam=se3.inverse(start.cam_T_world))
        for other in others:
            found = widened(found, se3.inverse(other.cam_T_world), found.inliers / max(int(other.inliers.sum()), 1))
        return found


def _support(found: PnPResult) -> float:
    """Return the support of a pose, see `Localization`."""
    return float(found.inliers.sum() * found.inliers.mean())
