"""Matches between two posed views: mutual best descriptors that the epipolar geometry allows."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry.triangulation import epipolar_distances
from cl_localization.map.keyframe_views import View

MIN_SIMILARITY = 0.75


def matched_features(a: View, b: View, max_error_px: float) -> tuple[np.ndarray, np.ndarray]:
    """Return features of view a and of view b (N,) that show no code yet and match each other.

    Args:
        max_error_px: largest distance of a match from its epipolar line, in pixels of view b.
    """
    of_a, of_b = a.unlinked(), b.unlinked()
    if len(of_a) == 0 or len(of_b) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    similarity = a.features.descriptors[of_a] @ b.features.descriptors[of_b].T
    distance = epipolar_distances(a.world_T_cam, a.rays[of_a], b.world_T_cam, b.rays[of_b])
    similarity[distance * b.camera.focal_px > max_error_px] = -1
    best_b, best_a = similarity.argmax(axis=1), similarity.argmax(axis=0)
    row = np.arange(len(of_a))
    good = (best_a[best_b] == row) & (similarity[row, best_b] > MIN_SIMILARITY)
    return of_a[good], of_b[best_b[good]]
