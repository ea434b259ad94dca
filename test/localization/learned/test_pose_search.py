"""Poses in a map of learned codes: which answers count, what is refused, and that changes are followed."""

from __future__ import annotations

import numpy as np

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.localization.hierarchical_search import PoseSearch
from cl_localization.localization.learned.pose_search import CERTAIN_SHARE, LearnedPoseSearch, make_pose_search
from cl_localization.localization.learned.regressor import LearnedRegressor
from cl_localization.map.learned_codes import LearnedArrays, learned_map_beside, put_learned
from cl_localization.map.map_code import MapCode
from core_makers import CAMERA, PointScene, look_at, unit_vectors
from map_makers import empty_map

SCENE = PointScene.room(400)
CAMERA_POSE = look_at((0.3, -0.1, 0.0), (0.0, 0.1, 4.0))
SHARPNESS = 40.0


def map_of(points_m: np.ndarray, origin_m: float = 0.0) -> MapCode:
    """A map whose codes are the points of the scene: attention finds the right one."""
    grown = empty_map("scene", 64)
    grown.scene_number("room")
    learned = learned_map_beside(grown)
    learned.add_keyframe(np.eye(4), 0, 0)
    count = len(points_m)
    put_learned(learned, LearnedArrays(SHARPNESS * SCENE.descriptors, (points_m + origin_m).astype(np.float32),
                                       np.zeros(count, np.int64), np.ones(count)), 0.02)
    return learned


def test_a_pose_is_found_among_codes() -> None:
    found = LearnedPoseSearch(map_of(SCENE.points_m), PoseConfig()).find(SCENE.features(CAMERA_POSE), CAMERA)
    assert found.accepted and found.scene == "room"
    assert se3.pose_error(found.world_T_cam, CAMERA_POSE)[0] < 0.02
    assert found.matches == round(CERTAIN_SHARE * found.keypoints) and len(found.inlier_codes) == found.inliers


def test_codes_far_from_the_origin_keep_their_precision() -> None:
    moved = CAMERA_POSE.copy()
    moved[:3, 3] += 5000.0
    found = LearnedPoseSearch(map_of(SCENE.points_m, 5000.0), PoseConfig()).find(SCENE.features(CAMERA_POSE), CAMERA)
    assert found.accepted and se3.pose_error(found.world_T_cam, moved)[0] < 0.03


def test_an_image_of_another_place_is_refused() -> None:
    features = SCENE.features(CAMERA_POSE)
    elsewhere = Features(features.keypoints_px, unit_vectors(np.random.default_rng(3), len(features), 64),
                         features.scores)
    found = LearnedPoseSearch(map_of(SCENE.points_m), PoseConfig()).find(elsewhere, CAMERA)
    assert not found.accepted and ("needed" in found.reason or "no pose" in found.reason)


def test_an_image_without_features_has_no_pose() -> None:
    found = LearnedPoseSearch(map_of(SCENE.points_m), PoseConfig()).find(
        SCENE.features(CAMERA_POSE).select(slice(0)), CAMERA)
    assert not found.accepted and found.reason.startswith("no keypoints: ")


def test_answers_follow_changed_codes() -> None:
    learned = map_of(SCENE.points_m)
    regressor, features = LearnedRegressor(learned), SCENE.features(CAMERA_POSE)
    before = regressor.regress(features).points_m
    learned.codes["positions_m"][learned.codes.rows()] += np.float32(1.0)
    learned.version += 1
    np.testing.assert_allclose(regressor.regress(features).points_m, before + 1.0, atol=1e-4)


def test_the_kind_of_codes_tells_how_poses_are_searched() -> None:
    assert isinstance(make_pose_search(map_of(SCENE.points_m), LocalizerConfig()), LearnedPoseSearch)
    grown = empty_map("scene", 64)
    assert isinstance(make_pose_search(grown, LocalizerConfig()), PoseSearch)
