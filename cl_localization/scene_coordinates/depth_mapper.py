"""Mapping with depth: every keypoint with a depth reading is a point; known codes are merged, new ones inserted."""

from __future__ import annotations

import numpy as np

from cl_localization.config import DepthConfig
from cl_localization.geometry import se3
from cl_localization.scene_coordinates.depth_points import depth_sigmas, keypoint_depths
from cl_localization.scene_coordinates.guided import guided_matches
from cl_localization.scene_coordinates.map_code import MapCode, NewCodes
from cl_localization.scene_coordinates.pose_estimation import REFERENCE_WIDTH_PX
from cl_localization.scene_coordinates.views import View

MERGE_RADIUS_PX = 8.0


class DepthMapper:
    """Adds codes from views with registered depth."""

    def __init__(self, map_code: MapCode, config: DepthConfig) -> None:
        self._map, self._config = map_code, config

    def add(self, view: View, keypoints_px: np.ndarray, depth_m: np.ndarray) -> tuple[int, int]:
        """Learn from a view; returns how many codes were inserted and how many were merged.

        Args:
            keypoints_px: (N, 2) where the view's features lie in the depth image, which is distorted as the image is.
            depth_m: (H, W) registered depth, 0 where unknown.
        """
        depths_m = keypoint_depths(depth_m, keypoints_px, self._config.max_depth_m)
        known = np.flatnonzero(depths_m > 0)
        depths_m = depths_m[known]
        points_cam = np.column_stack([view.rays[known] * depths_m[:, None], depths_m])
        new = NewCodes(view.features.descriptors[known], se3.transform(view.world_T_cam, points_cam).astype(np.float32),
                       depth_sigmas(depths_m))
        merged = self._merge(view, known, new)
        fresh = ~merged
        inserted = self._map.insert(new.select(fresh), view.keyframe)
        return int((inserted >= 0).sum()), int(merged.sum())

    def _merge(self, view: View, known: np.ndarray, new: NewCodes) -> np.ndarray:
        """Merge the sightings of codes the map has; returns which of the new ones (N,) those were."""
        radius_px = MERGE_RADIUS_PX * max(view.camera.width_px, view.camera.height_px) / REFERENCE_WIDTH_PX
        found = guided_matches(self._map, view.features.select(known), view.features.keypoints_px[known], view.camera,
                               se3.inverse(view.world_T_cam), radius_px, self._config.merge_similarity)
        apart_m = np.linalg.norm(self._map.codes["positions_m"][found.rows] - new.positions_m[found.features], axis=1)
        same = apart_m < self._config.merge_distance_m + 2 * new.sigmas_m[found.features]
        features, rows = found.features[same], found.rows[same]
        self._map.merge(rows, new.select(features), view.keyframe)
        merged = np.zeros(len(known), bool)
        merged[features] = True
        return merged
