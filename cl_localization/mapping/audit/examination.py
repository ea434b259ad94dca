"""The examination of a map while it is made: what its images say of what was given with them, and what it takes note
of."""

from __future__ import annotations

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit.health import MapHealth, map_health, noted_health, scale_warnings
from cl_localization.mapping.audit.pose_audit import PoseAudit
from cl_localization.mapping.depth_points import keypoint_depths
from cl_localization.mapping.triangulating_mapper import TriangulatingMapper


class Examination:
    """Examines a map with the keyframes that it grows by.

    Attributes:
        without_scale: names of the scenes whose unit of length is not known to be the metre: nothing metric told it.
    """

    def __init__(self, map_code: MapCode, max_depth_m: float) -> None:
        """Examine a map, which may have been examined before; depth counts up to a distance."""
        noted = noted_health(map_code)
        self._map, self._max_depth_m, self._audit = map_code, max_depth_m, PoseAudit()
        self.without_scale = set(noted.scenes_without_scale)
        self._earlier_warnings = tuple(one for one in noted.warnings
                                       if one not in scale_warnings(noted.scenes_without_scale))

    def add(self, view: View, frame: Frame, keypoints_px: np.ndarray) -> None:
        """Take in a new keyframe, the frame that it came from, and its distorted keypoints (N, 2)."""
        depths_m = np.zeros(len(keypoints_px), np.float32)
        if frame.depth_m is not None:
            depths_m = keypoint_depths(frame.depth_m, keypoints_px, self._max_depth_m)
        self._audit.add(view, depths_m, self._map.keyframes["keyframe_descriptors"][view.keyframe])

    def forget_removed(self) -> None:
        """Forget keyframes that the map gave up."""
        self._audit.forget_removed(self._map.keyframes.live)

    def end_sequence(self) -> None:
        """Have the next keyframe be no neighbour of the last one."""
        self._audit.end_sequence()

    def health(self, triangulated: TriangulatingMapper) -> MapHealth:
        """Return whether what was given with the images can be true, as far as they tell; the map takes note of it."""
        keyframes = self._map.keyframes.rows()
        given = triangulated.given_poses(keyframes)
        pairs = self._audit.figures(lambda which: given[np.searchsorted(keyframes, which)])
        health = map_health(self._map, pairs, triangulated.moved(), triangulated.codes(), self._earlier_warnings,
                            self.without_scale)
        self._map.health = health.to_json()
        return health
