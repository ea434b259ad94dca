"""What is near brings a pose home that what is far has left open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.config import MapCodeConfig, PoseConfig
from cl_localization.geometry import se3
from cl_localization.localization import refinement
from cl_localization.localization.refinement import refined_in_map, searched_near
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at, unit_vectors

RANDOM = np.random.default_rng(0)
POINTS_M = np.concatenate([RANDOM.uniform([-1.5, -1.0, 2.5], [1.5, 1.0, 3.5], (150, 3)),
                           RANDOM.uniform([-30, -20, 60.0], [30, 20, 100.0], (250, 3))])
SCENE = PointScene(POINTS_M, unit_vectors(RANDOM, 400, 64))
HERE, BESIDE = look_at((0.0, 0.0, 0.0), (0.0, 0.0, 50.0)), look_at((0.35, 0.1, 0.0), (0.35, 0.1, 50.0))


def test_a_pose_that_far_points_leave_open_is_found_by_near_ones():
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(HERE, 0, map_code.scene_number("roof"))
    map_code.insert(NewCodes(SCENE.descriptors, POINTS_M.astype(np.float32), np.full(400, 0.01, np.float32)), keyframe)
    features = SCENE.features(HERE, noise_px=0.4, similarity=0.95)
    given = map_code, features, features.keypoints_px.astype(float), CAMERA
    far_only = refined_in_map(*given, se3.inverse(BESIDE), 4.0, 0)
    rough = np.linalg.norm(far_only.world_T_cam[:3, 3] - HERE[:3, 3])
    found = searched_near(*given, replace(far_only, covariance=0.1**2 * np.eye(6)), 4.0, PoseConfig(), 0)
    assert np.linalg.norm(found.world_T_cam[:3, 3] - HERE[:3, 3]) < min(0.02, 0.5 * rough)
    for sigma in (1e-4, np.inf):
        sure_or_unknown = replace(found, covariance=np.diag(np.full(6, sigma)))
        assert searched_near(*given, sure_or_unknown, 1.0, PoseConfig(), 0) is sure_or_unknown


def test_where_a_pose_may_be_anywhere_evenly_spread_codes_stand_for_all(monkeypatch):
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(HERE, 0, map_code.scene_number("roof"))
    map_code.insert(NewCodes(SCENE.descriptors, POINTS_M.astype(np.float32), np.full(400, 0.01, np.float32)), keyframe)
    features = SCENE.features(HERE, noise_px=0.4, similarity=0.95)
    cam_T_world, asked = se3.inverse(BESIDE), []
    monkeypatch.setattr(MapCode, "descriptors", lambda self, rows, give=MapCode.descriptors: (asked.append(len(rows)),
                                                                                             give(self, rows))[1])
    for most in (refinement.MOST_PAIRS, 2000):
        monkeypatch.setattr(refinement, "MOST_PAIRS", most)
        refinement._matches(map_code, features, features.keypoints_px.astype(float), CAMERA, cam_T_world, 1.0,
                             12.0, 0)
    assert 0 < asked[1] < 0.6 * asked[0]
