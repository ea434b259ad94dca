"""Mapping without depth: match posed keyframes, triangulate, and adjust points and poses over all the views
together."""

from __future__ import annotations

import numpy as np

from cl_localization.config import TriangulationConfig
from cl_localization.geometry import se3
from cl_localization.geometry.bundle_adjustment import PosePrior, adjusted
from cl_localization.geometry.pnp import project
from cl_localization.geometry.triangulation import (
    Observations,
    parallax_deg,
    ray_midpoints,
    refined_points,
    reprojection_errors,
)
from cl_localization.localization.covariance_calibration import variance_factor
from cl_localization.localization.guided_matching import guided_matches
from cl_localization.localization.refinement import REFERENCE_WIDTH_PX
from cl_localization.map.keyframe_views import View, ViewStore
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.audit.health import Moved
from cl_localization.mapping.pair_matching import matched_features

CELL_SIZE_PX = 5.0
"""Without depth the scale is unknown: a cell spans this many pixels at the median depth of the first points."""

MIN_GUIDED_SIMILARITY = 0.75

LOOSE = 4.0
"""Before its pose is adjusted, a view is matched within this many times the reprojection error allowed afterwards."""

FINAL_ROUNDS = 3


class TriangulatingMapper:
    """Adds codes from views with poses but no depth."""

    def __init__(self, map_code: MapCode, config: TriangulationConfig) -> None:
        self._map, self._config = map_code, config
        self._store = ViewStore(config.max_views)

    def add(self, view: View) -> tuple[int, int]:
        """Learn from a view; returns how many codes were inserted and how many were seen again."""
        self.forget_removed()
        neighbours = self._store.neighbours(view, self._config.neighbours)
        self._store.add(view)
        seen_again = self._link_to_map(view, LOOSE)
        if seen_again == 0:
            self._insert_from_pairs(view, neighbours, LOOSE)
        self._refine(_codes_of([view]), moving=[view, *neighbours] if seen_again == 0 else [view])
        inserted = self._insert_from_pairs(view, neighbours, 1.0)
        for other in [view, *neighbours]:
            self._link_to_map(other, 1.0)
        self._refine(_codes_of([view, *neighbours]), moving=[view, *neighbours])
        return inserted, seen_again

    def finish(self) -> None:
        """Look for every code in every view once more, and adjust everything."""
        self.forget_removed()
        for _ in range(FINAL_ROUNDS):
            for view in self._store.views:
                self._link_to_map(view, 1.0)
            self._refine(_codes_of(self._store.views), moving=self._store.views)
        self._judge_given_poses()

    def _judge_given_poses(self) -> None:
        """Note how far the map has moved from the poses it was given, where that is more than was known when they
        came."""
        views = [view for view in self._store.views if view.keyframe >= 0]
        if views:
            keyframes = np.array([view.keyframe for view in views])
            factors = [variance_factor(self._map, view) for view in views]
            self._map.set_variance_factors(keyframes,
                                           np.maximum(self._map.keyframes["keyframe_variance_factors"][keyframes],
                                                      factors))

    def forget_removed(self) -> None:
        """Forget the sightings of codes that the map gave up, and keyframes it gave up: their numbers will be used
        again."""
        for view in self._store.views:
            shown = np.flatnonzero(view.code >= 0)
            view.code[shown[~self._map.codes.live[view.code[shown]]]] = -1
            if view.keyframe >= 0 and not self._map.keyframes.live[view.keyframe]:
                view.keyframe = -1

    def given_poses(self, keyframes: np.ndarray) -> np.ndarray:
        """Return the poses (K, 4, 4) that came with the images of keyframes (K,): as in the map, or before they were
        adjusted."""
        given = {view.keyframe: view.given_world_T_cam for view in self._store.views}
        known = dict(zip(self._map.keyframes.rows().tolist(), self._map.keyframe_world_T_cam))
        return np.array([given.get(keyframe, known[keyframe]) for keyframe in keyframes.tolist()]).reshape(-1, 4, 4)

    def keyframes_moved(self, keyframes: np.ndarray, given_world_T_cam: np.ndarray) -> None:
        """Have the remembered views follow keyframes (K,) that were moved; their images now come with other poses (K,
        4, 4).

        Views whose keyframe the map gave up are forgotten: nobody can tell where they would be now.
        """
        given = dict(zip(keyframes.tolist(), given_world_T_cam))
        known = dict(zip(self._map.keyframes.rows().tolist(), self._map.keyframe_world_T_cam))
        self._store.views = [view for view in self._store.views if view.keyframe in known]
        for view in self._store.views:
            if view.keyframe in given:
                view.world_T_cam, view.given_world_T_cam = known[view.keyframe].copy(), given[view.keyframe]

    def codes(self) -> np.ndarray:
        """Return the codes that remembered views show, ascending: each was triangulated from several."""
        return _codes_of(self._store.views)

    def moved(self) -> Moved:
        """Return how far the remembered views were moved from their given poses."""
        distances_m = [np.linalg.norm(view.world_T_cam[:3, 3] - view.given_world_T_cam[:3, 3])
                       for view in self._store.views]
        seen_m = [np.median(np.linalg.norm(self._map.codes["positions_m"][view.code[view.code >= 0]]
                                           - view.world_T_cam[:3, 3], axis=1))
                  for view in self._store.views if (view.code >= 0).any()]
        if not seen_m:
            return Moved()
        median_m = float(np.median(distances_m))
        return Moved(median_m, median_m / max(float(np.median(seen_m)), 1e-9))

    def _max_error_px(self, view: View) -> float:
        return self._config.max_reprojection_error_px * max(view.camera.width_px,
                                                            view.camera.height_px) / REFERENCE_WIDTH_PX

    def _link_to_map(self, view: View, looseness: float) -> int:
        """Note which codes the features of a view show; returns how many were new."""
        free = view.unlinked()
        found = guided_matches(self._map, view.features.select(free), view.features.keypoints_px[free], view.camera,
                               se3.inverse(view.world_T_cam), looseness * self._max_error_px(view),
                               MIN_GUIDED_SIMILARITY, view.scene)
        view.link(free[found.features], found.rows)
        return len(found.rows)

    def _insert_from_pairs(self, view: View, others: list[View], looseness: float) -> int:
        return sum(self._insert_from_pair(view, other, looseness) for other in others)

    def _insert_from_pair(self, view: View, other: View, looseness: float) -> int:
        """Triangulate what two views see and the map lacks; returns how many codes were inserted."""
        features, of_other = matched_features(view, other, looseness * self._max_error_px(other))
        points_m, angle_deg = ray_midpoints(view.world_T_cam, view.rays[features], other.world_T_cam,
                                            other.rays[of_other])
        good = angle_deg > self._config.min_parallax_deg
        for seen_by, keypoints in ((view, features), (other, of_other)):
            pixels, depth_m = project(seen_by.camera, se3.inverse(seen_by.world_T_cam), points_m)
            error_px = np.linalg.norm(pixels - seen_by.features.keypoints_px[keypoints], axis=1)
            good &= (depth_m > 0) & (error_px < looseness * self._max_error_px(seen_by))
        return self._insert(view, features[good], points_m[good], other, of_other[good])

    def _insert(self, view: View, features: np.ndarray, points_m: np.ndarray, other: View, of_other: np.ndarray) -> int:
        if len(features) == 0:
            return 0
        distance_m = np.linalg.norm(points_m - view.world_T_cam[:3, 3], axis=1)
        if len(self._map) == 0:
            self._map.set_cell_size(CELL_SIZE_PX * float(np.median(distance_m)) / view.camera.focal_px)
        sigmas_m = (distance_m / view.camera.focal_px * self._config.max_reprojection_error_px).astype(np.float32)
        rows = self._map.insert(NewCodes(view.features.descriptors[features], points_m, sigmas_m), view.keyframe)
        kept = rows >= 0
        view.link(features[kept], rows[kept])
        other.link(of_other[kept], rows[kept])
        return int(kept.sum())

    def _refine(self, codes: np.ndarray, moving: list[View]) -> None:
        """Adjust codes and the poses of moving views to all their sightings, and remove the codes that fit badly."""
        codes = self._own(codes)
        if len(codes) == 0:
            return
        self._adjust(codes, moving)
        seen, _ = self._store.observations(codes)
        max_error_px = max(self._max_error_px(view) for view in self._store.views)
        points_m, sigmas_m = refined_points(self._map.codes["positions_m"][codes], seen, 0.5 * max_error_px)
        good = self._well_seen(points_m, seen, 2 * max_error_px)
        self._map.move(codes[good], points_m[good], np.maximum(sigmas_m[good], 1e-6))
        self._map.remove(codes[~good])
        self._store.unlink(codes[~good])

    def _own(self, codes: np.ndarray) -> np.ndarray:
        """Return those codes whose sightings are all remembered; others came from depth, a file or forgotten views, and
        stay."""
        codes = codes[self._map.codes.live[codes]]
        return codes[np.isin(self._map.codes["anchors"][codes], [view.keyframe for view in self._store.views])]

    def _well_seen(self, points_m: np.ndarray, seen: Observations, max_error_px: float) -> np.ndarray:
        """Return which points (P,) most of their views agree on, under enough parallax."""
        fits = reprojection_errors(points_m, seen) < max_error_px
        agreeing = seen.sums(fits.astype(float), len(points_m))
        views = seen.sums(np.ones(len(fits)), len(points_m))
        good = np.isfinite(points_m).all(axis=1) & (agreeing >= np.maximum(self._config.min_views, 0.5 * views))
        return good & (parallax_deg(points_m, seen) > self._config.min_parallax_deg)

    def _adjust(self, codes: np.ndarray, moving: list[View]) -> None:
        views = self._store.views
        seen, view_index = self._store.observations(codes)
        points_m = self._map.codes["positions_m"][codes].astype(np.float64)
        distance_m = float(np.median(np.linalg.norm(points_m[seen.point] - seen.centres_m, axis=1)))
        prior = PosePrior(se3.inverse(np.array([view.given_world_T_cam for view in views])),
                          self._config.pose_position_sigma_share * distance_m,
                          np.deg2rad(self._config.pose_rotation_sigma_deg),
                          np.array([not any(view is other for other in moving) for view in views]))
        cam_T_world, points_m = adjusted(se3.inverse(np.array([view.world_T_cam for view in views])), points_m, seen,
                                         view_index,
                                         prior, 0.5 * max(self._max_error_px(view) for view in moving))
        self._map.move(codes, points_m, self._map.codes["sigmas_m"][codes])
        for view, pose in zip(views, se3.inverse(cam_T_world)):
            if any(view is other for other in moving):
                view.world_T_cam = pose
                if view.keyframe >= 0:
                    self._map.move_keyframe(view.keyframe, pose)


def _codes_of(views: list[View]) -> np.ndarray:
    """Return the codes that views show, ascending, each once."""
    return np.unique(np.concatenate([view.code[view.code >= 0] for view in views] or [np.zeros(0, np.int64)]))
