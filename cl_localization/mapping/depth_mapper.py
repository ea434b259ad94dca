"""Mapping with depth: keypoints with depth are points, merged into known codes or inserted as new codes."""

from __future__ import annotations

import numpy as np

from cl_localization.config import DepthConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.localization.matching import guided_matches, visible_codes
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.depth_points import depth_sigmas, keypoint_depths
from cl_localization.mapping.free_space_culling import FreeSpaceCulling

MERGE_RADIUS_PX, MERGE_SIMILARITY, MERGE_DISTANCE_M = 8.0, 0.80, 0.03
"""A feature joins a code that projects within the first [px of a 640 px wide image], looks more alike than the second,
and lies within the third, but for what depth may be off."""

STRONGEST = 1000
"""Largest number of features used from a view of a changed place: in the dark, the weaker ones are noise."""
PROBATION_VIEWS, PROBATION_SEEN = 5, 2
"""Codes of a changed place observed less than PROBATION_SEEN times after PROBATION_VIEWS more views are removed."""


class DepthMapper:
    """Adds codes from views with registered depth; removes codes that are not observed again, or by free-space
    culling."""

    def __init__(self, map_code: MapCode, config: DepthConfig) -> None:
        self._map, self._config = map_code, config
        self._missed = np.zeros(0, np.uint8)
        self._free_space = FreeSpaceCulling(map_code, config.free_space_views) if config.free_space_views else None
        self._probation: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray, changed: bool = False) -> tuple[int, int]:
        """Add a view; returns the number of inserted and of merged codes.

        Args:
            keypoints_px: (N, 2) distorted keypoints of the view's features, as in image and depth image.
            depth_m: (H, W) registered depth, 0 where unknown.
            changed: whether the place is known to have changed.
        """
        if changed:
            view, keypoints_px = view.strongest(STRONGEST), keypoints_px[:STRONGEST]
        depths_m = keypoint_depths(depth_m, keypoints_px, self._config.max_depth_m)
        known = np.flatnonzero(depths_m > 0)
        depths_m = depths_m[known]
        points_cam = np.column_stack([view.rays[known] * depths_m[:, None], depths_m])
        new = NewCodes(view.features.descriptors[known], se3.transform(view.world_T_cam, points_cam).astype(np.float32),
                       depth_sigmas(depths_m))
        merged, rows = self._merge(view, known, new)
        self._drop_missed(view, rows, depth_m)
        if self._free_space:
            self._free_space.observe(view, depth_m, rows, changed)
        inserted = self._map.insert(new.select(~merged), view.keyframe)
        self._reset_counts(inserted[inserted >= 0])
        if changed:
            self._put_on_probation(inserted[inserted >= 0])
        return int((inserted >= 0).sum()), len(rows)

    def finish(self) -> None:
        """End a sequence."""
        if self._free_space:
            self._free_space.begin()

    def _put_on_probation(self, inserted: np.ndarray) -> None:
        """Put codes of a changed place on probation: in the dark, most are noise."""
        self._probation.append((inserted, self._map.codes["anchors"][inserted].copy()))
        if len(self._probation) > PROBATION_VIEWS:
            rows, anchors = self._probation.pop(0)
            codes = self._map.codes
            self._map.remove(rows[codes.live[rows] & (codes["anchors"][rows] == anchors)
                                  & (codes["seen"][rows] < PROBATION_SEEN)])

    def _merge(self, view: View, known: np.ndarray, new: NewCodes) -> tuple[np.ndarray, np.ndarray]:
        """Merge observations of known codes; returns the mask (N,) of the merged ones, and the rows of the codes."""
        found = guided_matches(self._map, view.features.select(known), view.features.keypoints_px[known], view.camera,
                               se3.inverse(view.world_T_cam), pixels_in(view.camera, MERGE_RADIUS_PX), MERGE_SIMILARITY,
                               view.scene)
        apart_m = np.linalg.norm(self._map.codes["positions_m"][found.rows] - new.positions_m[found.features], axis=1)
        same = apart_m < MERGE_DISTANCE_M + 2 * new.sigmas_m[found.features]
        features, rows = found.features[same], found.rows[same]
        self._map.merge(rows, new.select(features), view.keyframe)
        merged = np.zeros(len(known), bool)
        merged[features] = True
        return merged, rows

    def _drop_missed(self, view: View, seen_again: np.ndarray, depth_m: np.ndarray) -> None:
        """Count misses of codes that this view should have observed; remove codes observed once with too many."""
        self._missed = np.pad(self._missed, (0, len(self._map.codes.live) - len(self._missed)))
        cam_T_world = se3.inverse(view.world_T_cam)
        rows, pixels = visible_codes(self._map, view.camera, cam_T_world, 0.0, view.scene)
        once = self._map.codes["seen"][rows] == 1
        rows, pixels = rows[once], pixels[once].astype(np.int64)
        expected_m = project(view.camera, cam_T_world, self._map.codes["positions_m"][rows])[1]
        measured_m = depth_m[pixels[:, 1], pixels[:, 0]]
        unoccluded = np.abs(measured_m - expected_m) < MERGE_DISTANCE_M + 2 * depth_sigmas(expected_m)
        missed = np.setdiff1d(rows[unoccluded], seen_again)
        self._missed[missed] += 1
        self._map.remove(missed[self._missed[missed] >= self._config.max_misses])

    def _reset_counts(self, inserted: np.ndarray) -> None:
        """Reset the counts of new codes, whose rows may be reused."""
        self._missed = np.pad(self._missed, (0, len(self._map.codes.live) - len(self._missed)))
        self._missed[inserted] = 0
        if self._free_space:
            self._free_space.forget(inserted)
