"""Change detection: known places that look different now, because light has changed or things were moved.

A feature with depth is explained if it matches a code of the map near where that projects. If a place looks as it did,
nearly all features are explained. Other light lowers that share in the whole image; a thing that was moved lowers it
where it stood and where it stands now. So the image is cut into tiles, and the second worst of them decides.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import ChangeDetectionConfig, DepthConfig
from cl_localization.geometry import se3
from cl_localization.localization.guided_matching import guided_matches
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_mapper import MERGE_RADIUS_PX
from cl_localization.mapping.depth_points import keypoint_depths
from cl_localization.mapping.keyframe_policy import KeyframePolicy

TILES_X, TILES_Y = 4, 3
FEWEST = 15
"""Features with depth that a tile must have to count."""

TILE_SHARE = 2 / 3
"""Share of the least explained share of an image that is asked of its tiles."""

CALM_CHECKS = 5
"""After so many checks in a row that found no change, checks are as far apart in time as the option says again."""

MOST_VIEWS = 5
"""So many keyframes from one place are enough: where features are noise, none would ever explain the next."""


class ChangeDetector:
    """Says which frames that show no new view are to be checked, and which of these show a change."""

    def __init__(self, map_code: MapCode, config: ChangeDetectionConfig, depth: DepthConfig) -> None:
        self._map, self._config, self._depth = map_code, config, depth
        self._policy = KeyframePolicy(config.min_translation_m, config.min_rotation_deg)
        self._last_ns: int | None = None
        self._calm = CALM_CHECKS
        self._learned: list[int] = []

    def note_check(self, stamp_ns: int) -> None:
        """Take note that the image of a stamp was encoded, for whatever reason."""
        self._last_ns = stamp_ns

    def note_keyframe(self, keyframe: int) -> None:
        """Take note of a new keyframe: while the place changes, its codes do not explain later views."""
        if self._calm < CALM_CHECKS:
            self._learned.append(keyframe)

    def is_due(self, stamp_ns: int, world_T_cam: np.ndarray, views_from_here: int) -> bool:
        """Return whether to check: after the configured time, when time has jumped back, or at every other view while
        the place changes.

        Args:
            views_from_here: how many keyframes look from where this one would.
        """
        if self._config.period_s == 0 or views_from_here >= MOST_VIEWS:
            return False
        late = self._last_ns is None or not 0 <= stamp_ns - self._last_ns < 1e9 * self._config.period_s
        return late or (self._calm < CALM_CHECKS and self._is_unlearned(world_T_cam))

    def has_changed(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray) -> bool:
        """Return whether a place does not look as the map has it, or one near by did not; arguments are those of
        `DepthMapper.add`."""
        is_unlearned = self._is_unlearned(view.world_T_cam)
        if not is_unlearned:
            self._learned, self._calm = [], CALM_CHECKS
        whole, second_worst = self._explained(view, keypoints_px, depth_m)
        changed = whole < self._config.min_explained or second_worst < TILE_SHARE * self._config.min_explained
        self._calm = 0 if changed else self._calm + 1
        if self._calm >= CALM_CHECKS:
            self._learned = []
        return changed or (is_unlearned and self._calm < CALM_CHECKS)

    def _is_unlearned(self, world_T_cam: np.ndarray) -> bool:
        """Return whether no keyframe learned since the place has changed looks from here."""
        poses = self._map.keyframe_world_T_cam[np.isin(self._map.keyframes.rows(), self._learned)]
        return self._policy.is_new_view(world_T_cam, poses)

    def _explained(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray) -> tuple[float, float]:
        """Return the share of explained features in all of the image and in its second worst tile; 1 where they cannot
        be judged."""
        known = np.flatnonzero(keypoint_depths(depth_m, keypoints_px, self._depth.max_depth_m) > 0)
        places_px = view.features.keypoints_px[known]
        found = guided_matches(self._map, view.features.select(known), places_px, view.camera,
                               se3.inverse(view.world_T_cam),
                               pixels_in(view.camera, MERGE_RADIUS_PX), self._depth.merge_similarity, view.scene)
        told = found.features[~np.isin(self._map.codes["anchors"][found.rows], self._learned)]
        columns, rows = (places_px * [TILES_X, TILES_Y] / [view.camera.width_px,
                                                           view.camera.height_px]).astype(np.int64).T
        tiles = columns.clip(0, TILES_X - 1) + TILES_X * rows.clip(0, TILES_Y - 1)
        total, explained = (np.bincount(each, minlength=TILES_X * TILES_Y) for each in (tiles, tiles[told]))
        judged = total >= FEWEST
        if judged.sum() < 2:
            return 1.0, 1.0
        return float(explained.sum() / total.sum()), float(np.sort(explained[judged] / total[judged])[1])
