"""Matches between two posed views: mutual best descriptors that the epipolar geometry allows."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry.triangulation import epipolar_distances
from cl_localization.localization.guided_matching import firsts
from cl_localization.map.keyframe_views import View

MIN_SIMILARITY = 0.75


def matched_features(a: View, b: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features of view a and of view b (N,) that are each other's best, their cosine similarity (N,), and how
    far (N,) they lie from their epipolar lines, in pixels of view b. Those of b show no code yet."""
    of_b = b.unlinked()
    if len(a.features) == 0 or len(of_b) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0)
    similarity = a.features.descriptors @ b.features.descriptors[of_b].T
    best_b, most_for_b = similarity.argmax(axis=1), similarity.max(axis=0)  # argmax of columns is 15 times as slow
    row = np.arange(len(a.features))
    similarity = similarity[row, best_b]
    row = row[(similarity == most_for_b[best_b]) & (similarity > MIN_SIMILARITY)]
    row = row[firsts(best_b[row])]
    of_b, similarity = of_b[best_b[row]], similarity[row]
    distance = epipolar_distances(a.world_T_cam, a.rays[row], b.world_T_cam, b.rays[of_b])
    return row, of_b, similarity, distance * b.camera.focal_px
