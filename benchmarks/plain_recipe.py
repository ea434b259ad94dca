"""The plain recipe that ours must not lose to, hloc's: keyframes whose features have points, by depth or triangulated
from poses as they were given; of an image those that look most alike, what matches in them, and PoseLib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.data.frame import Frame, Sequence
from cl_localization.features.encoder import Encoder, unit_descriptors
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import robust_pose
from cl_localization.geometry.triangulation import Observations, ray_midpoints, refined_points, reprojection_errors
from cl_localization.localization.matching import mutual_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View, ViewStore
from cl_localization.mapping.depth_points import depths_of
from cl_localization.places.map_places import place_descriptor

MIN_SIMILARITY = 0.8
RETRIEVED = 5
NEIGHBOURS = 10
"""Keyframes that each keyframe is matched with, the nearest ones."""

MAX_ERROR_PX, THRESHOLD_PX = 2.0, 4.0
"""Largest reprojection errors, of a point in the keyframes and of an inlier [px of a 640 px wide image]."""

MIN_PARALLAX_DEG = 1.0
MAX_ITERATIONS = 10000
MAX_DEPTH_M = 6.0

Matcher = Callable[[View, View], tuple[np.ndarray, np.ndarray]]
"""Returns features of two views (M,) and (M,) that match."""


@dataclass(frozen=True, eq=False)
class _Matched:
    """Another keyframe, and which of its features each feature (N,) of a keyframe matches, -1 for none."""

    other: View
    feature: np.ndarray


def nearest_neighbours(a: View, b: View) -> tuple[np.ndarray, np.ndarray]:
    """Return features of a and b (M,) that are each other's nearest."""
    return mutual_matches(a.features.descriptors, b.features.descriptors, MIN_SIMILARITY)[:2]


class PlainRecipe:
    """A map of keyframes whose features have points, and the poses of images in it."""

    def __init__(self, mapping: Sequence, encoder: Encoder, use_depth: bool = False) -> None:
        """Map all frames of a sequence."""
        self._encoder, store = encoder, ViewStore(len(mapping))
        measured_m = []
        for frame in mapping:
            store.add(self._view(frame, frame.world_T_cam))
            if use_depth:
                measured_m.append(_measured_points(store.views[-1], frame))
        self._views = store.views
        self._points_m = measured_m if use_depth else [_points(view, matches) for view, matches
                                                       in zip(self._views, _all_matches(store))]
        self._looks = unit_descriptors(np.array([place_descriptor(view.features.descriptors)
                                                       for view in self._views]))

    def _view(self, frame: Frame, world_T_cam: np.ndarray) -> View:
        return View.of(-1, world_T_cam, frame.camera, self._encoder.encode(frame.image))

    @property
    def map_bytes(self) -> int:
        """Size of the map with descriptors as int8: of a feature that has a point, this, pixel and point as float32."""
        known = sum(int(np.isfinite(points_m[:, 0]).sum()) for points_m in self._points_m)
        return known * (self._encoder.dim + 5 * 4) + len(self._views) * (7 * 4 + self._looks.shape[1])

    def localize(self, frame: Frame, match: Matcher = nearest_neighbours, retrieved: int = RETRIEVED,
                 threshold_px: float = THRESHOLD_PX) -> np.ndarray | None:
        """Return world_T_cam (4, 4) of a frame, None when no pose agrees with its matches.

        Args:
            match: matches it with a keyframe.
            retrieved: keyframes that it is matched with.
            threshold_px: see `THRESHOLD_PX`.
        """
        view = self._view(frame, np.eye(4))
        look = unit_descriptors(place_descriptor(view.features.descriptors)[None])[0]
        pixels, points_m = [np.zeros((0, 2))], [np.zeros((0, 3))]
        for index in np.argsort(-(self._looks @ look))[:retrieved]:
            of_image, of_keyframe = match(view, self._views[index])
            known = np.isfinite(self._points_m[index][of_keyframe, 0])
            pixels.append(view.features.keypoints_px[of_image[known]])
            points_m.append(self._points_m[index][of_keyframe[known]])
        found = robust_pose(view.camera, np.concatenate(pixels), np.concatenate(points_m),
                            pixels_in(view.camera, threshold_px), MAX_ITERATIONS, 0)
        return None if found is None else se3.inverse(found.cam_T_world)


def _measured_points(view: View, frame: Frame) -> np.ndarray:
    """Return the point (N, 3) of each feature by depth; NaN where there is none."""
    depth_m = depths_of(frame, view.features, MAX_DEPTH_M)
    depth_m = np.where(depth_m > 0, depth_m, np.nan)
    return se3.transform(view.world_T_cam, np.column_stack([view.rays, np.ones(len(depth_m))]) * depth_m[:, None])


def _all_matches(store: ViewStore) -> list[list[_Matched]]:
    """Return what each view matches in the views around it; each pair is matched once."""
    number = {id(view): index for index, view in enumerate(store.views)}
    pairs = {tuple(sorted((number[id(view)], number[id(other)]))) for view in store.views
             for other in store.neighbours(view, NEIGHBOURS)}
    matches: list[list[_Matched]] = [[] for _ in store.views]
    for first, second in sorted(pairs):
        a, b = store.views[first], store.views[second]
        of_a, of_b = nearest_neighbours(a, b)
        for index, view, other, features, of_other in ((first, a, b, of_a, of_b), (second, b, a, of_b, of_a)):
            feature = np.full(len(view.features), -1, np.int64)
            feature[features] = of_other
            matches[index].append(_Matched(other, feature))
    return matches


def _points(view: View, matches: list[_Matched]) -> np.ndarray:
    """Return the point (N, 3) of each feature that most matched views agree with; NaN where there is none."""
    points_m, votes = np.full((len(view.features), 3), np.nan), np.zeros(len(view.features), np.int64)
    for match in matches:
        features = np.flatnonzero(match.feature >= 0)
        candidates_m, parallax_deg = ray_midpoints(view.world_T_cam, view.rays[features], match.other.world_T_cam,
                                                   match.other.rays[match.feature[features]])
        good = (parallax_deg > MIN_PARALLAX_DEG) & _fits(candidates_m, view, features)
        count = sum(_agrees(candidates_m, features, one).astype(np.int64) for one in matches) * good
        better = count > votes[features]
        points_m[features[better]], votes[features[better]] = candidates_m[better], count[better]
    known = np.flatnonzero(votes > 0)
    if len(known):
        points_m[known] = _refined(points_m[known], view, known, matches)
    return points_m


def _fits(points_m: np.ndarray, view: View, features: np.ndarray) -> np.ndarray:
    return _errors_px(points_m, view, features) < pixels_in(view.camera, MAX_ERROR_PX)


def _errors_px(points_m: np.ndarray, view: View, features: np.ndarray) -> np.ndarray:
    return reprojection_errors(points_m, _observations(np.arange(len(features)), view, features))


def _observations(points: np.ndarray, view: View, features: np.ndarray) -> Observations:
    poses = np.broadcast_to(se3.inverse(view.world_T_cam), (len(features), 4, 4))
    return Observations(points, view.rays[features], poses, np.full(len(features), view.camera.focal_px))


def _agrees(points_m: np.ndarray, features: np.ndarray, match: _Matched) -> np.ndarray:
    """Return which points (M,) of features (M,) the matched view sees where it should."""
    agrees = np.zeros(len(features), bool)
    seen = np.flatnonzero(match.feature[features] >= 0)
    agrees[seen] = _fits(points_m[seen], match.other, match.feature[features[seen]])
    return agrees


def _refined(points_m: np.ndarray, view: View, features: np.ndarray, matches: list[_Matched]) -> np.ndarray:
    parts = [_observations(np.arange(len(features)), view, features)]
    for match in matches:
        agreeing = np.flatnonzero(_agrees(points_m, features, match))
        parts.append(_observations(agreeing, match.other, match.feature[features[agreeing]]))
    joined = [np.concatenate(column) for column in zip(*((part.point, part.rays_cam, part.cam_T_world, part.focal_px)
                                                         for part in parts))]
    order = np.argsort(joined[0], kind="stable")
    seen = replace(parts[0], point=joined[0][order], rays_cam=joined[1][order], cam_T_world=joined[2][order],
                   focal_px=joined[3][order])
    return refined_points(points_m, seen, 0.5 * pixels_in(view.camera, MAX_ERROR_PX))[0]
