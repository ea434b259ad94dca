"""Codes of things that are gone: a view that measures past a code saw through it, and after some such views it fades
away.

Depth is not exact at edges, nor are poses: a code that is there is seen through now and then, too. So what was seen
since the sequence began is taken to be there, unless the place is known to have changed.
"""

from __future__ import annotations

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.localization.guided_matching import visible_codes
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode

MARGIN_M, MARGIN_SHARE, MARGIN_SIGMAS = 0.10, 0.05, 4.0
"""Depth must lie this far behind a code to have seen through it: metres, a share of the depth, and sigmas of the code,
all added."""

WINDOW_PX = 3
"""No reading this near to a code may be as near as it: at edges colour and depth disagree."""


class FreeSpaceCulling:
    """Counts the views that saw through each code since it was last seen."""

    def __init__(self, map_code: MapCode, views_until_gone: int) -> None:
        self._map, self._until_gone = map_code, views_until_gone
        self._through, self._is_there = np.zeros(0, np.uint8), np.zeros(0, bool)

    def begin(self) -> None:
        """Begin another sequence: what was seen before may be gone by now."""
        self._is_there[:] = False

    def observe(self, view: View, depth_m: np.ndarray, seen_rows: np.ndarray, changed: bool = False) -> np.ndarray:
        """Count what a view saw, remove from the map what too many saw through, and return the rows (N,) of that.

        Args:
            depth_m: (H, W) of the view, 0 where unknown.
            seen_rows: (S,) codes that the view shows.
            changed: whether the place is known to have changed.
        """
        self.forget(seen_rows)
        if not changed and self._is_there[self._map.codes.live].all():
            return np.zeros(0, np.int64)
        through = np.setdiff1d(self._seen_through(view, depth_m), seen_rows)
        through = through if changed else through[~self._is_there[through]]
        self._through[through] += 1
        gone = through[self._through[through] >= self._until_gone]
        if len(gone):
            self._map.remove(gone)
            self._through[gone] = 0
        return gone

    def forget(self, rows: np.ndarray) -> None:
        """Begin to count anew for codes (N,): they were seen, or their numbers have been others' before."""
        extra = len(self._map.codes.live) - len(self._through)
        self._through, self._is_there = np.pad(self._through, (0, extra)), np.pad(self._is_there, (0, extra))
        self._through[rows], self._is_there[rows] = 0, True

    def _seen_through(self, view: View, depth_m: np.ndarray) -> np.ndarray:
        """Return the codes that lie in space that a view measured to be free."""
        cam_T_world = se3.inverse(view.world_T_cam)
        rows, pixels = visible_codes(self._map, view.camera, cam_T_world, 0.0, view.scene)
        codes = self._map.codes
        expected_m = project(view.camera, cam_T_world, codes["positions_m"][rows])[1]
        nearest_m = _nearest_depths(depth_m, pixels.astype(np.int64))
        return rows[nearest_m > expected_m * (1 + MARGIN_SHARE) + MARGIN_M + MARGIN_SIGMAS * codes["sigmas_m"][rows]]


def _nearest_depths(depth_m: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the smallest depth (N,) around pixels (N, 2); 0 where one is unknown."""
    height, width = depth_m.shape
    offsets = np.arange(-WINDOW_PX, WINDOW_PX + 1)
    x = (pixels[:, 0, None] + offsets).clip(0, width - 1)
    y = (pixels[:, 1, None] + offsets).clip(0, height - 1)
    return depth_m[y[:, :, None], x[:, None, :]].min(axis=(1, 2), initial=np.inf)
