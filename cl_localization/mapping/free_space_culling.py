"""Free-space culling: removes codes of removed things, after several views that measured depth beyond them.

Depth at edges and poses are not exact, so that valid codes are sometimes seen through, too. So codes observed in the
current sequence are kept, unless the place is known to have changed.
"""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.localization.matching import visible_codes
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode

MARGIN_M, MARGIN_SHARE, MARGIN_SIGMAS = 0.10, 0.05, 4.0
"""Least distance of the measured depth behind a code: metres + share of the depth + sigmas of the code."""

AROUND = np.ones((7, 7), np.uint8)
"""Pixels around a code in which all depths must be known and lie behind it, since depth is not exact at edges."""


class FreeSpaceCulling:
    """Counts the views that saw through each code since its last observation."""

    def __init__(self, map_code: MapCode, views_until_removed: int) -> None:
        self._map, self._until_removed = map_code, views_until_removed
        self._through, self._is_current = np.zeros(0, np.uint8), np.zeros(0, bool)

    def begin(self) -> None:
        """Start another sequence: codes observed before may be culled."""
        self._is_current[:] = False

    def observe(self, view: View, depth_m: np.ndarray, seen_rows: np.ndarray, changed: bool = False) -> np.ndarray:
        """Count the codes that a view saw through, remove those with too many counts, and return their rows (N,).

        Args:
            depth_m: (H, W) of the view, 0 where unknown.
            seen_rows: (S,) codes observed by the view.
            changed: whether the place is known to have changed.
        """
        self.forget(seen_rows)
        if not changed and self._is_current[self._map.codes.live].all():
            return np.zeros(0, np.int64)
        through = np.setdiff1d(self._seen_through(view, depth_m), seen_rows)
        through = through if changed else through[~self._is_current[through]]
        self._through[through] += 1
        removed = through[self._through[through] >= self._until_removed]
        if len(removed):
            self._map.remove(removed)
            self._through[removed] = 0
        return removed

    def forget(self, rows: np.ndarray) -> None:
        """Reset the counts of codes (N,) that were observed or are new."""
        extra = len(self._map.codes.live) - len(self._through)
        self._through, self._is_current = np.pad(self._through, (0, extra)), np.pad(self._is_current, (0, extra))
        self._through[rows], self._is_current[rows] = 0, True

    def _seen_through(self, view: View, depth_m: np.ndarray) -> np.ndarray:
        """Return the codes in space that a view measured as free."""
        cam_T_world = se3.inverse(view.world_T_cam)
        rows, pixels = visible_codes(self._map, view.camera, cam_T_world, 0.0, view.scene)
        codes = self._map.codes
        expected_m = project(view.camera, cam_T_world, codes["positions_m"][rows])[1]
        pixels = pixels.astype(np.int64)
        nearest_m = cv2.erode(depth_m, AROUND)[pixels[:, 1], pixels[:, 0]]
        return rows[nearest_m > expected_m * (1 + MARGIN_SHARE) + MARGIN_M + MARGIN_SIGMAS * codes["sigmas_m"][rows]]
