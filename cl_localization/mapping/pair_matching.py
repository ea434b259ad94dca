"""Matches between two posed views: best descriptors of each other among those near their epipolar lines."""

from __future__ import annotations

import numpy as np

from cl_localization.geometry.triangulation import epipolar_angles, epipolar_distances
from cl_localization.localization.matching import mutual_matches_at_angles
from cl_localization.localization.refinement import pixels_in
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.pose_adjustment import RANGE_PX

MIN_SIMILARITY = 0.75


def matched_features(a: View, b: View) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return features of view a and of view b (N,) that are each other's best, their cosine similarity (N,), and how
    far (N,) they lie from their epipolar lines, in pixels of view b. Those of b show no code yet.

    Only features within `RANGE_PX` of their epipolar lines compete, and some that are farther: a sixth of all.
    """
    of_b = b.unlinked()
    at_a_rad, at_b_rad, aside = epipolar_angles(a.world_T_cam, a.rays, b.world_T_cam, b.rays[of_b])
    within = pixels_in(b.camera, RANGE_PX) / b.camera.focal_px
    reach_rad = np.where(aside > within, np.arcsin(within / np.maximum(aside, within)), np.pi)
    row, best_b, similarity = mutual_matches_at_angles(a.features.descriptors, b.features.descriptors[of_b],
                                                       MIN_SIMILARITY, at_a_rad, at_b_rad, reach_rad)
    of_b = of_b[best_b]
    distance = epipolar_distances(a.world_T_cam, a.rays[row], b.world_T_cam, b.rays[of_b])
    return row, of_b, similarity, distance * b.camera.focal_px
