"""Mapping without depth: match posed keyframes, triangulate, and adjust points and poses over all the views
together."""

from __future__ import annotations

import numpy as np

from cl_localization.config import TriangulationConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.geometry.triangulation import (
    Observations,
    epipolar_distances,
    parallax_deg,
    ray_midpoints,
    refined_points,
    reprojection_errors,
)
from cl_localization.localization.covariance_calibration import variance_factor
from cl_localization.localization.matching import guided_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import FeatureTracks, View, ViewStore
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.audit.health import Moved
from cl_localization.mapping.keyframe_policy import KeyframePolicy
from cl_localization.mapping.pose_adjustment import EpipolarScatter, adjusted_poses, matched_features

CELL_SIZE_PX = 5.0
"""Without depth the scale is unknown: a cell spans this many pixels at the median depth of the first points."""

MIN_GUIDED_SIMILARITY = 0.75

LOOSE = 4.0
"""Before its pose is adjusted, a view is matched within this many times the reprojection error allowed afterwards."""

FINAL_ROUNDS = 3

FIRST_POINTS, ENOUGH_CODES = 20, 150
"""Fewer points than the first are no beginning: they set the size of the cells. With fewer codes than the second,
nobody knows yet how far away things are."""

SAMPLED_CODES = 2000
"""About so many codes tell the median distance of what a map shows."""

SMALLEST_MOTION = 1e-9
"""Views at one place are the same in any unit."""

GROWTH = 1.25
"""Where poses are exact, codes are refined once so many times as many views show them as when they last were."""

PX_PER_FEATURE = 128.0
"""Area of the image per feature that is mapped [px], two cells of the grid by which XFeat describes an image: where
there are more, as in small images, they cost time and tell nothing new."""

FIRST_JUDGED = 6
"""Given poses are judged once so many views came, and with each that comes."""

SURE_SIMILARITY = 0.85
"""Matches this alike tell how exact poses are."""


class TriangulatingMapper:
    """Adds codes from views with poses but no depth."""

    def __init__(self, map_code: MapCode, config: TriangulationConfig) -> None:
        self._map, self._config = map_code, config
        self._store = ViewStore(config.max_views)
        self._poses_move: bool | None = None
        self._learned = self._unlinked_in = 0
        self._scatter, self._rotation_sigma_rad = EpipolarScatter(), 0.0

    def add(self, view: View) -> tuple[int, int]:
        """Learn from a view; returns how many codes were inserted and how many were seen again."""
        self.forget_removed()
        view = view.strongest(int(view.camera.width_px * view.camera.height_px / PX_PER_FEATURE))
        neighbours = self._store.neighbours(view, self._config.neighbours)
        self._store.add(view)
        self._learned += 1
        if self._learned >= FIRST_JUDGED:
            self._judge_exactness()
        if self._poses_move:
            return self._add_adjusting(view, neighbours)
        looseness = LOOSE if self._poses_move is None else 1.0
        seen_again = self._link_to_map(view, looseness)
        inserted = self._insert_from_pairs(view, neighbours, looseness)
        self._refine_due(codes_of([view]), GROWTH)
        return inserted, seen_again

    def keyframe_policy(self) -> KeyframePolicy:
        """Return which frames are worth keeping, by the distance of what the map shows; while it shows little, by the
        extent of the views kept: their distances grow with it, and the neighbours of a view span most of it."""
        rows = self._map.codes.rows()
        if len(rows) < ENOUGH_CODES:
            positions_m = np.array([view.world_T_cam[:3, 3] for view in self._store.views]).reshape(-1, 3)
            extent_m = float(np.linalg.norm(np.ptp(positions_m, axis=0))) if len(positions_m) else 0.0
            share_m = extent_m / self._config.neighbours
        else:
            rows = rows[::max(1, len(rows) // SAMPLED_CODES)]
            seen_from_m = self._map.keyframes["keyframe_poses"][self._map.codes["anchors"][rows], :3]
            distance_m = np.linalg.norm(self._map.codes["positions_m"][rows] - seen_from_m, axis=1)
            share_m = self._config.min_translation_share * float(np.median(distance_m))
        return KeyframePolicy(max(share_m, self._config.min_translation_m, SMALLEST_MOTION),
                              self._config.min_rotation_deg)

    def known_poses(self, scene: int) -> np.ndarray:
        """Return the poses (K, 4, 4) of keyframes of a scene that make views near them known."""
        return self._map.pose_of(self._map.keyframes_of(scene))

    def _add_adjusting(self, view: View, neighbours: list[View]) -> tuple[int, int]:
        seen_again = self._link_to_map(view, LOOSE)
        if seen_again == 0:
            self._insert_from_pairs(view, neighbours, LOOSE)
            self._refine(codes_of([view]), moving=[view, *neighbours])
        else:
            self._adjust(self._own(codes_of([view])), moving=[view])
        inserted = self._insert_from_pairs(view, neighbours, 1.0)
        for other in [view, *neighbours]:
            self._link_to_map(other, 1.0)
        self._refine(codes_of([view, *neighbours]), moving=[view, *neighbours])
        return inserted, seen_again

    def _judge_exactness(self) -> None:
        """Find out whether the given poses must be moved, and by how much."""
        sigma_px, view = self._scatter.pose_sigma_px(), self._store.views[-1]
        if sigma_px is None:
            return
        self._rotation_sigma_rad = min(pixels_in(view.camera, sigma_px) / view.camera.focal_px,
                                       np.deg2rad(self._config.pose_rotation_sigma_deg))
        if self._poses_move and self._rotation_sigma_rad == 0:
            self._put_back()
        self._poses_move = self._rotation_sigma_rad > 0

    def _put_back(self) -> None:
        """Have views lie where they were given, after all; what they show follows when it is next refined."""
        for view in self._store.views:
            view.world_T_cam = view.given_world_T_cam
            if view.keyframe >= 0:
                self._map.move_keyframe(view.keyframe, view.world_T_cam)
        self._refine(codes_of(self._store.views), moving=[])

    def finish(self) -> None:
        """Look for every code in every view once more, and adjust everything."""
        self.forget_removed()
        if self._store.views:
            self._judge_exactness()
        for _ in range(FINAL_ROUNDS if self._poses_move else 1):
            for view in self._store.views:
                self._link_to_map(view, 1.0)
            if self._poses_move:
                self._refine(codes_of(self._store.views), moving=self._store.views)
            else:
                self._refine_due(codes_of(self._store.views), 1.0 + 1e-6)
        if self._poses_move:
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
        """Forget the observations of codes that the map gave up, and keyframes it gave up: their numbers will be used
        again."""
        self._unlink_removed()
        for view in self._store.views:
            if view.keyframe >= 0 and not self._map.keyframes.live[view.keyframe]:
                view.keyframe = -1

    def _unlink_removed(self) -> None:
        if self._map.codes.removed_in != self._unlinked_in:
            self._store.unlink_removed(self._map.codes.live)
            self._unlinked_in = self._map.codes.removed_in

    def given_poses(self, keyframes: np.ndarray) -> np.ndarray:
        """Return the poses (K, 4, 4) that came with the images of keyframes (K,): as in the map, or before they were
        adjusted."""
        given = {view.keyframe: view.given_world_T_cam for view in self._store.views}
        poses = zip(keyframes.tolist(), self._map.pose_of(keyframes))
        return np.array([given.get(keyframe, pose) for keyframe, pose in poses]).reshape(-1, 4, 4)

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
        return codes_of(self._store.views)

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
        return pixels_in(view.camera, self._config.max_reprojection_error_px)

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
        features, of_other, similarity, distance_px = matched_features(view, other)
        sure = similarity > SURE_SIMILARITY
        self._count_scatter(view, features[sure], other, of_other[sure], distance_px[sure])
        near = distance_px <= looseness * self._max_error_px(other)
        features, of_other = features[near], of_other[near]
        shown = view.code[features] >= 0
        self._follow_codes(view.code[features[shown]], other, of_other[shown], looseness)
        features, of_other = features[~shown], of_other[~shown]
        points_m, angle_deg = ray_midpoints(view.world_T_cam, view.rays[features], other.world_T_cam,
                                            other.rays[of_other])
        good = angle_deg > self._config.min_parallax_deg
        for seen_by, keypoints in ((view, features), (other, of_other)):
            good &= self._fits(seen_by, keypoints, points_m, looseness)
        return self._insert(view, features[good], points_m[good], other, of_other[good])

    def _count_scatter(self, view: View, features: np.ndarray, other: View, of_other: np.ndarray,
                       distances_px: np.ndarray) -> None:
        """Count how far matches (N,) lie from the epipolar lines of the given poses.

        Args:
            distances_px: how far from those of the poses as they are.
        """
        if self._poses_move:
            distances_px = other.camera.focal_px * epipolar_distances(
                view.given_world_T_cam, view.rays[features], other.given_world_T_cam, other.rays[of_other])
        self._scatter.add(distances_px / pixels_in(other.camera, 1.0))

    def _fits(self, view: View, features: np.ndarray, points_m: np.ndarray, looseness: float) -> np.ndarray:
        """Return which points (N, 3) lie where features (N,) of a view show them."""
        pixels, depth_m = project(view.camera, se3.inverse(view.world_T_cam), points_m)
        error_px = np.linalg.norm(pixels - view.features.keypoints_px[features], axis=1)
        return (depth_m > 0) & (error_px < looseness * self._max_error_px(view))

    def _follow_codes(self, codes: np.ndarray, view: View, features: np.ndarray, looseness: float) -> None:
        """Note that features (N,) of a view show codes (N,) where they lie near enough."""
        near = self._fits(view, features, self._map.codes["positions_m"][codes], looseness)
        view.link(features[near], codes[near])

    def _insert(self, view: View, features: np.ndarray, points_m: np.ndarray, other: View, of_other: np.ndarray) -> int:
        if len(features) < (1 if len(self._map) else FIRST_POINTS):
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
        """Adjust codes and the poses of moving views to all their observations, and remove the codes that fit badly."""
        codes = self._own(codes)
        if len(codes) == 0:
            return
        if moving:
            self._adjust(codes, moving)
        self._refine_points(codes, self._store.feature_tracks(codes))

    def _refine_due(self, codes: np.ndarray, growth: float) -> None:
        """Adjust those of codes that so many times as many views show as when they were last adjusted."""
        codes = self._own(codes)
        if len(codes) == 0:
            return
        seen = self._store.feature_tracks(codes)
        due = self._store.due(codes, seen, growth)
        self._refine_points(codes[due], seen.of_codes(due))

    def _refine_points(self, codes: np.ndarray, tracks: FeatureTracks) -> None:
        """Adjust codes to all their observations, and remove those that fit badly."""
        seen, _ = self._store.observations(tracks)
        max_error_px = max(self._max_error_px(view) for view in self._store.views)
        points_m, sigmas_m = refined_points(self._map.codes["positions_m"][codes], seen, 0.5 * max_error_px)
        angle_deg = parallax_deg(points_m, seen)
        good = self._well_seen(points_m, seen, 2 * max_error_px) & (angle_deg > self._config.min_parallax_deg)
        sigmas_m *= np.sin(np.deg2rad(np.minimum(angle_deg, 90.0)))
        self._map.move(codes[good], points_m[good], np.maximum(sigmas_m[good], 1e-6))
        kept = tracks.of_codes(good)
        self._map.describe(codes[good], self._store.mean_descriptors(kept), kept.counts)
        self._map.remove(codes[~good])
        self._unlink_removed()

    def _own(self, codes: np.ndarray) -> np.ndarray:
        """Return those codes whose observations are all remembered; others came from depth, a file or forgotten views,
        and stay."""
        codes = codes[self._map.codes.live[codes]]
        return codes[np.isin(self._map.codes["anchors"][codes], [view.keyframe for view in self._store.views])]

    def _well_seen(self, points_m: np.ndarray, seen: Observations, max_error_px: float) -> np.ndarray:
        """Return which points (P,) most of their views agree on."""
        fits = reprojection_errors(points_m, seen) < max_error_px
        agreeing = seen.sums(fits.astype(float), len(points_m))
        views = seen.sums(np.ones(len(fits)), len(points_m))
        return np.isfinite(points_m).all(axis=1) & (agreeing >= np.maximum(self._config.min_views, 0.5 * views))

    def _adjust(self, codes: np.ndarray, moving: list[View]) -> None:
        """Move views, and with them nothing else yet, to what their observations of codes say."""
        if len(codes) == 0:
            return
        views = self._store.views
        is_moving = np.array([any(view is other for other in moving) for view in views])
        seen, view_index = self._store.observations(self._store.feature_tracks(codes))
        cam_T_world = self._adjusted_poses(codes, seen, view_index, is_moving,
                                           0.5 * max(self._max_error_px(view) for view in moving))
        for index in np.flatnonzero(is_moving):
            view = views[index]
            view.world_T_cam = se3.inverse(cam_T_world[index])
            if view.keyframe >= 0:
                self._map.move_keyframe(view.keyframe, view.world_T_cam)

    def _adjusted_poses(self, codes: np.ndarray, seen: Observations, view: np.ndarray, is_moving: np.ndarray,
                        sigma_px: float) -> np.ndarray:
        """Return cam_T_world (K, 4, 4) of all views, with those moved that are moving (K,).

        Args:
            seen, view: observations of codes (P,), with a standard deviation, and the views (O,) they were made in.
        """
        points_m = self._map.codes["positions_m"][codes].astype(np.float64)
        return adjusted_poses(self._store.views, seen, view, points_m, is_moving, self._config,
                              self._rotation_sigma_rad, sigma_px)


def codes_of(views: list[View]) -> np.ndarray:
    """Return the codes that views show, ascending, each once."""
    return np.unique(np.concatenate([view.code[view.code >= 0] for view in views] or [np.zeros(0, np.int64)]))
