"""From features and a map to a pose, in a scene whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import MapCodeConfig, PoseConfig
from cl_localization.features import Features
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import robust_pose
from cl_localization.geometry.se3 import inverse, pose_error, transform
from cl_localization.localization import pose_estimation
from cl_localization.localization.pose_estimation import CLEAR_SUPPORT, PoseEstimator
from cl_localization.localization.regressor import NearestRegressor
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at, unit_vectors

SCENE = PointScene.room(600)
CONFIG = PoseConfig()
NOISE = {"noise_px": 0.5, "similarity": 0.9}


def scene_map() -> MapCode:
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    map_code.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), np.full(600, 0.005, np.float32)),
                    frame)
    return map_code


MAP = scene_map()
ESTIMATOR = PoseEstimator(MAP, NearestRegressor(MAP), CONFIG)


def estimate(features: Features, camera: Camera = CAMERA) -> Localization:
    return ESTIMATOR.estimate(features, camera)


def pose_pixels(pose: Localization, camera: Camera) -> np.ndarray:
    """Return where the inliers' points appear (I, 2)."""
    return camera.project(transform(inverse(pose.world_T_cam), pose.inlier_points_m))


def error(pose: Localization, world_T_cam: np.ndarray) -> tuple[float, float]:
    return pose_error(pose.world_T_cam, world_T_cam)


@settings(max_examples=15)
@given(st.floats(-1, 1), st.floats(-0.4, 0.4), st.floats(-0.5, 0.5), st.integers(0, 99))
def test_a_camera_is_found_wherever_it_looks_from(x_m, y_m, z_m, seed):
    world_T_cam = look_at((x_m, y_m, z_m), (0.3 * x_m, 0.0, 3.8))
    pose = estimate(SCENE.features(world_T_cam, seed=seed, **NOISE))
    distance_m, angle_deg = error(pose, world_T_cam)
    assert distance_m < 0.02
    assert angle_deg < 0.3
    assert pose.inliers > 0.9 * len(SCENE.visible(world_T_cam)[0])
    assert pose.inlier_ratio > 0.9
    assert pose.reprojection_error_px < 1.5


def test_features_of_elsewhere_among_them_do_not_matter():
    world_T_cam = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))
    features = SCENE.features(world_T_cam, **NOISE)
    random = np.random.default_rng(0)
    count = 2 * len(features)
    mixed = Features(np.concatenate([features.keypoints_px, random.uniform(0, 240, (count, 2)).astype(np.float32)]),
                     np.concatenate([features.descriptors, unit_vectors(random, count, 64)]),
                     np.ones(3 * len(features), np.float32))
    pose = estimate(mixed)
    assert error(pose, world_T_cam)[0] < 0.02
    assert (pose.inlier_features < len(features)).mean() > 0.95


def test_the_inliers_are_features_codes_and_points_that_belong_together():
    world_T_cam = look_at((-0.4, 0.1, 0.0), (0.0, 0.0, 3.8))
    pose = estimate(SCENE.features(world_T_cam, **NOISE))
    assert len(pose.inlier_features) == len(pose.inlier_codes) == len(pose.inlier_points_m) == pose.inliers
    np.testing.assert_allclose(pose.inlier_points_m, MAP.codes["positions_m"][pose.inlier_codes])
    assert (SCENE.visible(world_T_cam)[0][pose.inlier_features] == pose.inlier_codes).mean() > 0.98


def test_distortion_is_taken_out():
    barrel = Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob", (-0.25, 0.08, 0.001, 0.0))
    world_T_cam = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))
    assert error(estimate(SCENE.features(world_T_cam, barrel, **NOISE), barrel), world_T_cam)[0] < 0.02


@pytest.mark.parametrize("width_px", [160, 640, 1280])
def test_thresholds_follow_the_size_of_the_image(width_px):
    camera = CAMERA.scaled_to(width_px, width_px * 3 // 4)
    world_T_cam = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))
    pose = estimate(SCENE.features(world_T_cam, camera, noise_px=4.5 * width_px / 640, similarity=0.9), camera)
    assert error(pose, world_T_cam)[0] < 0.06
    errors_px = np.linalg.norm(pose_pixels(pose, camera) - SCENE.visible(world_T_cam, camera)[1][pose.inlier_features],
                               axis=1)
    assert pose.inliers > 0.85 * len(SCENE.visible(world_T_cam, camera)[0])
    assert np.median(errors_px) < 2.0 * width_px / 640


def test_the_threshold_of_inliers_follows_the_size_of_the_image():
    camera = CAMERA.scaled_to(160, 120)
    world_T_cam = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))
    features = SCENE.features(world_T_cam, camera, noise_px=0.2, similarity=0.9)
    features.keypoints_px[::4] += np.float32([5.0, -5.0])
    pose = estimate(features, camera)
    assert (pose.inlier_features % 4 != 0).mean() > 0.97


def test_an_image_of_elsewhere_has_little_support():
    random = np.random.default_rng(0)
    strangers = Features(random.uniform(0, 240, (500, 2)).astype(np.float32), unit_vectors(random, 500, 64),
                         np.ones(500, np.float32))
    pose = estimate(strangers)
    assert pose.support < CONFIG.min_support
    assert pose.inliers < CONFIG.min_inliers


def test_ambiguous_features_are_no_matches():
    random = np.random.default_rng(0)
    strangers = Features(random.uniform(0, 240, (500, 2)).astype(np.float32), unit_vectors(random, 500, 64),
                         np.ones(500, np.float32))
    matches = [
        PoseEstimator(MAP, NearestRegressor(MAP), PoseConfig(max_ambiguity=limit)).estimate(strangers, CAMERA).matches
        for limit in (0.8, 0.9, 1.0)
    ]
    assert matches[0] < matches[1] < matches[2] == 500
    assert matches[0] < 50


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_few_features_give_no_pose(count):
    pose = estimate(SCENE.features(np.eye(4)).select(slice(count)))
    assert pose.world_T_cam is None
    assert pose.inliers == 0
    assert pose.support == 0.0


def test_an_empty_map_gives_no_pose():
    empty = MapCode(MapCodeConfig(), "scene", 64)
    pose = PoseEstimator(empty, NearestRegressor(empty), CONFIG).estimate(SCENE.features(np.eye(4)), CAMERA)
    assert pose.world_T_cam is None
    assert pose.matches == 0


def test_only_the_strongest_keypoints_are_searched():
    estimator = PoseEstimator(MAP, NearestRegressor(MAP), PoseConfig(max_keypoints=50))
    pose = estimator.estimate(SCENE.features(np.eye(4), **NOISE), CAMERA)
    assert 30 < pose.matches <= 50
    assert pose.inlier_features.max() < 50


def test_support_is_inliers_times_their_share():
    assert Localization(matches=100, inlier_ratio=0.5).support == 25.0


def test_every_step_is_timed():
    timings_s = estimate(SCENE.features(np.eye(4), **NOISE)).timings_s
    assert set(timings_s) == {"search", "solve", "refine"}
    assert min(timings_s.values()) > 0


def test_the_same_features_give_the_same_pose():
    first, second = (estimate(SCENE.features(np.eye(4), **NOISE)) for _ in range(2))
    np.testing.assert_array_equal(first.world_T_cam, second.world_T_cam)
    np.testing.assert_array_equal(first.covariance, second.covariance)


def test_the_covariance_covers_the_error():
    inside = []
    for seed in range(40):
        world_T_cam = look_at((0.3, 0.1, 0.0), (0.0, 0.0, 3.8))
        pose = estimate(SCENE.features(world_T_cam, seed=seed, **NOISE))
        error_m = pose.world_T_cam[:3, 3] - world_T_cam[:3, 3]
        inside.append(error_m @ np.linalg.solve(pose.covariance[:3, :3], error_m) < 7.81)
    assert np.mean(inside) > 0.9


def test_matches_by_chance_raise_nothing():
    random = np.random.default_rng(1)
    for count in (6, 10, 30, 200):
        descriptors = SCENE.descriptors[random.permutation(600)[:count]]
        pose = estimate(Features(random.uniform(0, 240, (count, 2)).astype(np.float32), descriptors, np.ones(count)))
        assert pose.world_T_cam is None or np.isfinite(pose.world_T_cam).all()


def test_all_features_in_one_pixel_raise_nothing():
    features = SCENE.features(np.eye(4))
    heap = Features(np.full_like(features.keypoints_px, 100.5), features.descriptors, features.scores)
    pose = estimate(heap)
    assert pose.world_T_cam is None or pose.support < CONFIG.min_support or pose.inliers < CONFIG.min_inliers


class AllAtOnce(NearestRegressor):
    """Asked for all features of an image, however clear it is."""

    each_alone = False


@pytest.mark.parametrize("seed", range(4))
def test_a_clear_image_is_localized_by_every_second_feature_as_well_as_by_all(seed):
    world_T_cam = look_at((0.3, -0.1, 0.0), (0.2 * seed, 0.0, 3.8))
    features = SCENE.features(world_T_cam, seed=seed, **NOISE)
    sampled, by_all = (PoseEstimator(MAP, kind(MAP), CONFIG).estimate(features, CAMERA)
                       for kind in (NearestRegressor, AllAtOnce))
    assert by_all.support > CLEAR_SUPPORT
    assert sampled.support == pytest.approx(by_all.support, rel=0.05)
    moved_m, moved_deg = pose_error(sampled.world_T_cam, by_all.world_T_cam)
    assert moved_m < 0.002
    assert moved_deg < 0.05


def test_an_image_that_is_not_clear_is_localized_by_all_features():
    world_T_cam = look_at((0.3, -0.1, 0.0), (0.2, 0.0, 3.8))
    features = SCENE.features(world_T_cam, **NOISE).select(slice(0, 120))
    sampled, by_all = (PoseEstimator(MAP, kind(MAP), CONFIG).estimate(features, CAMERA)
                       for kind in (NearestRegressor, AllAtOnce))
    assert sampled.matches == by_all.matches
    np.testing.assert_array_equal(sampled.world_T_cam, by_all.world_T_cam)
    np.testing.assert_array_equal(sampled.covariance, by_all.covariance)


@pytest.mark.parametrize(("noise_px", "exact"), [(0.3, True), (4.0, False)])
def test_a_few_tries_tell_that_a_map_is_not_exact(monkeypatch, noise_px, exact):
    features = SCENE.features(look_at((0.3, -0.1, 0.0), (0.2, 0.0, 3.8)), noise_px=noise_px, similarity=0.9)
    config = replace(CONFIG, inlier_threshold_px=24.0)
    tries = []

    def counted(*of_pose: Any) -> Any:
        tries.append(of_pose[4])
        return robust_pose(*of_pose)

    monkeypatch.setattr(pose_estimation, "robust_pose", counted)
    quick = PoseEstimator(MAP, NearestRegressor(MAP), config).estimate(features, CAMERA)
    whole = [config.max_iterations] if exact else []
    assert tries == [config.max_iterations, pose_estimation.QUICK_TRIES, *whole]
    monkeypatch.setattr(pose_estimation, "HARDLY_PEAKED_SHARE", 0.0)
    slow = PoseEstimator(MAP, NearestRegressor(MAP), config).estimate(features, CAMERA)
    np.testing.assert_array_equal(quick.world_T_cam, slow.world_T_cam)


def test_where_a_map_is_not_exact_an_exact_estimate_elsewhere_makes_the_pose_less_certain(monkeypatch):
    features = SCENE.features(look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8)), **NOISE)
    aside_m = 0.3
    solved = PoseEstimator._solve_exactly

    def loosely_elsewhere(*given: Any) -> tuple[Any, float]:
        found, _ = solved(*given)
        aside = np.eye(4)
        aside[0, 3] = aside_m
        return replace(found, cam_T_world=found.cam_T_world @ aside), 0.52

    alone = estimate(features)
    monkeypatch.setattr(PoseEstimator, "_solve_exactly", loosely_elsewhere)
    widened = estimate(features)
    assert error(widened, alone.world_T_cam)[0] < 0.02
    assert np.sqrt(alone.covariance[0, 0]) < 0.02
    assert np.sqrt(widened.covariance[0, 0]) > 0.9 * aside_m


def test_a_pose_is_as_uncertain_as_keyframes_nearby_turned_out_to_be(monkeypatch):
    features = SCENE.features(look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8)), **NOISE)
    monkeypatch.setattr(pose_estimation, "searched_near", lambda *given: given[4])
    monkeypatch.setattr(pose_estimation, "depth_jackknife", lambda *given: 0.0)
    covariances = []
    for factor in (1.0, 25.0):
        monkeypatch.setattr(pose_estimation, "variance_factor_of", lambda *given, factor=factor: factor)
        covariances.append(estimate(features).covariance)
    np.testing.assert_allclose(covariances[1], 25 * covariances[0])


def test_a_pose_is_as_uncertain_as_near_and_far_matches_disagree(monkeypatch):
    features = SCENE.features(look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8)), noise_px=0.1, similarity=0.95)
    monkeypatch.setattr(pose_estimation, "depth_jackknife", lambda *given: np.diag([0.3, 0, 0, 0, 0, 0]) ** 2)
    covariance = estimate(features).covariance
    assert np.sqrt(covariance[0, 0]) > 0.3 > 10 * np.sqrt(covariance[1, 1])


def test_of_overlapping_scenes_the_pose_is_by_that_which_most_matches_are_of():
    two_scenes, off_m = MapCode(MapCodeConfig(), "scene", 64), np.float32([0.5, 0.0, 0.0])
    for name, of, moved_m in (("room", slice(0, 400), 0 * off_m), ("drawn", slice(400, 600), off_m)):
        frame = two_scenes.add_keyframe(np.eye(4), 0, two_scenes.scene_number(name))
        points_m = SCENE.points_m[of].astype(np.float32) + moved_m
        two_scenes.insert(NewCodes(SCENE.descriptors[of], points_m, np.full(len(points_m), 0.005, np.float32)), frame)
    features = SCENE.features(look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8)), **NOISE)
    found = PoseEstimator(two_scenes, NearestRegressor(two_scenes), CONFIG).estimate(features, CAMERA)
    of_room = two_scenes.codes["scenes"][found.inlier_codes] == two_scenes.scene_number("room")
    assert found.scene == "room" and of_room.all() and found.matches < 0.8 * len(features)
