"""Change detection: finds mapped places whose appearance has changed, by light or by moved things.

A feature with depth is explained if it matches a code of the map near that code's projection. In an unchanged place
nearly all features are explained. Changed light lowers this share in the whole image, a moved thing in two parts of it.
So the share is tested for the whole image, and for its second worst tile.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import ChangeDetectionConfig
from cl_localization.geometry import se3
from cl_localization.localization.matching import guided_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_mapper import MERGE_RADIUS_PX, MERGE_SIMILARITY
from cl_localization.mapping.depth_points import keypoint_depths
from cl_localization.mapping.keyframe_policy import KeyframePolicy

TILES_X, TILES_Y = 4, 3
FEWEST = 15
"""Least number of features with depth in a tile that is judged."""

TILE_SHARE = 2 / 3
"""Least explained share of a tile, as a share of `min_explained`."""

CALM_CHECKS = 5
"""Number of checks in a row without a change after which checks become periodic again."""

MOST_VIEWS = 5
"""Largest number of keyframes with the same view: if features are noise, no keyframe would explain the next."""


class ChangeDetector:
    """Decides which frames of known views to check for changes, and which of them show a change."""

    def __init__(self, map_code: MapCode, config: ChangeDetectionConfig, max_depth_m: float) -> None:
        self._map, self._config, self._max_depth_m = map_code, config, max_depth_m
        self._policy = KeyframePolicy(config.min_translation_m, config.min_rotation_deg)
        self._last_ns: int | None = None
        self._calm = CALM_CHECKS
        self._learned: list[int] = []

    def note_check(self, stamp_ns: int) -> None:
        """Note the timestamp of an encoded image, which resets the period."""
        self._last_ns = stamp_ns

    def note_keyframe(self, keyframe: int) -> None:
        """Note a new keyframe: in a changed place its codes do not count as explaining later views."""
        if self._calm < CALM_CHECKS:
            self._learned.append(keyframe)

    def is_due(self, stamp_ns: int, world_T_cam: np.ndarray, views_from_here: int) -> bool:
        """Return whether to check a frame: after the period, after a jump back in time, or, in a changed place, if no
        keyframe since the change has its view; `views_from_here` is the number of all keyframes with its view."""
        if self._config.period_s == 0 or views_from_here >= MOST_VIEWS:
            return False
        late = self._last_ns is None or not 0 <= stamp_ns - self._last_ns < 1e9 * self._config.period_s
        return late or (self._calm < CALM_CHECKS and self._is_unmapped(world_T_cam))

    def has_changed(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray) -> bool:
        """Return whether the place, or one close by, has changed; arguments as in `DepthMapper.add`."""
        is_unmapped = self._is_unmapped(view.world_T_cam)
        if not is_unmapped:
            self._learned, self._calm = [], CALM_CHECKS
        whole, second_worst = self._explained(view, keypoints_px, depth_m)
        changed = whole < self._config.min_explained or second_worst < TILE_SHARE * self._config.min_explained
        self._calm = 0 if changed else self._calm + 1
        if self._calm >= CALM_CHECKS:
            self._learned = []
        return changed or (is_unmapped and self._calm < CALM_CHECKS)

    def _is_unmapped(self, world_T_cam: np.ndarray) -> bool:
        """Return whether no keyframe since the change has this view."""
        poses = self._map.keyframe_world_T_cam[np.isin(self._map.keyframes.rows(), self._learned)]
        return self._policy.is_new_view(world_T_cam, poses)

    def _explained(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray) -> tuple[float, float]:
        """Return the share of explained features in the whole image and in its second worst tile; 1 if undecidable."""
        known = np.flatnonzero(keypoint_depths(depth_m, keypoints_px, self._max_depth_m) > 0)
        places_px = view.features.keypoints_px[known]
        found = guided_matches(self._map, view.features.select(known), places_px, view.camera,
                               se3.inverse(view.world_T_cam), pixels_in(view.camera, MERGE_RADIUS_PX), MERGE_SIMILARITY,
                               view.scene)
        matched = found.features[~np.isin(self._map.codes["anchors"][found.rows], self._learned)]
        columns, rows = (places_px * [TILES_X, TILES_Y] / [view.camera.width_px,
                                                           view.camera.height_px]).astype(np.int64).T
        tiles = columns.clip(0, TILES_X - 1) + TILES_X * rows.clip(0, TILES_Y - 1)
        total, explained = (np.bincount(each, minlength=TILES_X * TILES_Y) for each in (tiles, tiles[matched]))
        judged = total >= FEWEST
        if judged.sum() < 2:
            return 1.0, 1.0
        return float(explained.sum() / total.sum()), float(np.sort(explained[judged] / total[judged])[1])
