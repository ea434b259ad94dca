"""Matches between two posed views: mutual best descriptors that the epipolar geometry allows."""

from __future__ import annotations

import numpy as np

from cl_localization.features.mutual_matching import mutual_matches
from cl_localization.geometry.triangulation import epipolar_distances
from cl_localization.map.keyframe_views import View

MIN_SIMILARITY = 0.75


def matched_features(a: View, b: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features of view a and of view b (N,) that are each other's best, their cosine similarity (N,), and how
    far (N,) they lie from their epipolar lines, in pixels of view b. Those of b show no code yet."""
    of_b = b.unlinked()
    row, best_b, similarity = mutual_matches(a.features.descriptors, b.features.descriptors[of_b], MIN_SIMILARITY)
    of_b = of_b[best_b]
    distance = epipolar_distances(a.world_T_cam, a.rays[row], b.world_T_cam, b.rays[of_b])
    return row, of_b, similarity, distance * b.camera.focal_px
