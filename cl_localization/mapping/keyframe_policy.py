"""Distance-based keyframes."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry.se3 import rotation_angle_deg


class KeyframePolicy:
    """Keeps frames that differ from all kept ones by `min_translation_m` or `min_rotation_deg`."""

    def __init__(self, min_translation_m: float, min_rotation_deg: float) -> None:
        self._min_translation_m, self._min_rotation_deg = min_translation_m, min_rotation_deg

    def is_new_view(self, world_T_cam: np.ndarray, kept_world_T_cam: np.ndarray) -> bool:
        """Return whether a pose (4, 4) differs enough from every kept one (K, 4, 4)."""
        return self.same_views(world_T_cam, kept_world_T_cam) == 0

    def same_views(self, world_T_cam: np.ndarray, kept_world_T_cam: np.ndarray) -> int:
        """Return the number of kept poses (K, 4, 4) from which a pose (4, 4) does not differ enough."""
        if len(kept_world_T_cam) == 0:
            return 0
        distance_m = np.linalg.norm(kept_world_T_cam[:, :3, 3] - world_T_cam[:3, 3], axis=1)
        near = kept_world_T_cam[distance_m < self._min_translation_m]
        if len(near) == 0:
            return 0
        turned_deg = rotation_angle_deg(np.swapaxes(near[:, :3, :3], 1, 2) @ world_T_cam[:3, :3])
        return int((turned_deg < self._min_rotation_deg).sum())
