"""Matches between two posed views: mutual, similar, and on their epipolar lines; and whether given poses are exact,
told from how far matches lie from these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import TriangulationConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.triangulation import Observations
from cl_localization.localization.matching import mutual_matches
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.pose_adjustment import (
    ENOUGH_MATCHES,
    EXACT_MEDIAN_PX,
    MIN_SIMILARITY,
    POINTS_PER_VIEW,
    RANGE_PX,
    EpipolarScatter,
    adjusted_poses,
    matched_features,
    sampled,
)
from core_makers import CAMERA, PointScene, look_at, motion

SCENE = PointScene.room(300)
LEFT, RIGHT = look_at((-0.4, 0.05, 0.0), (0.0, 0.0, 3.5)), look_at((0.4, -0.05, 0.1), (0.0, 0.0, 3.5))

def scatter_of(sigma_px: float, right: int = 20000, wrong: int = 0) -> EpipolarScatter:
    random, scatter = np.random.default_rng(0), EpipolarScatter()
    scatter.add(np.abs(random.normal(scale=sigma_px, size=right)))
    scatter.add(random.uniform(0, RANGE_PX, wrong))
    return scatter


@pytest.mark.parametrize("wrong", [0, 20000])
def test_the_median_is_that_of_right_matches(wrong):
    assert scatter_of(2.0, wrong=wrong).median_px() == pytest.approx(0.6745 * 2.0, rel=0.06)


def test_keypoints_alone_leave_poses_exact():
    assert scatter_of(EXACT_MEDIAN_PX / 0.7).pose_sigma_px() == 0


def test_poses_that_are_off_are_told_by_how_much():
    keypoint_px, pose_px = EXACT_MEDIAN_PX / 0.6745, 3.0
    found_px = scatter_of(float(np.hypot(keypoint_px, np.sqrt(2) * pose_px))).pose_sigma_px()
    assert found_px == pytest.approx(pose_px, rel=0.1)


def test_few_matches_tell_nothing():
    assert scatter_of(1.0, right=ENOUGH_MATCHES // 2).pose_sigma_px() is None


def test_each_view_keeps_the_points_that_most_views_see():
    points, views = 3 * POINTS_PER_VIEW, 4
    of_point = np.repeat(np.arange(points), np.where(np.arange(points) < POINTS_PER_VIEW, views, 1))
    starts = np.r_[0, np.cumsum(np.bincount(of_point))][of_point]
    view = np.arange(len(of_point)) - starts
    seen = Observations(of_point, np.zeros((len(view), 2)), np.tile(np.eye(4), (len(view), 1, 1)), np.ones(len(view)))
    kept, of_view, points_m = sampled(seen, view, np.arange(3.0 * points).reshape(-1, 3))
    np.testing.assert_array_equal(points_m[:, 0], 3.0 * np.arange(POINTS_PER_VIEW))
    np.testing.assert_array_equal(kept.point, of_point[of_point < POINTS_PER_VIEW])
    np.testing.assert_array_equal(of_view, view[of_point < POINTS_PER_VIEW])


@pytest.mark.parametrize(("known_share", "least_m", "most_m"), [(1e-3, 0.0, 0.001), (1.0, 0.005, 0.03)])
def test_poses_are_moved_from_where_they_were_given_only_as_far_as_those_may_be_wrong(known_share, least_m, most_m):
    config, off = TriangulationConfig(), motion(np.zeros(3), np.array([0.03, 0.0, 0.0]))
    both = np.intersect1d(SCENE.visible(LEFT)[0], SCENE.visible(RIGHT)[0])
    poses = np.stack([LEFT, RIGHT])
    point, view = np.repeat(np.arange(len(both)), 2), np.tile([0, 1], len(both))
    cam_m = np.stack([se3.transform(se3.inverse(pose), SCENE.points_m[both]) for pose in poses], axis=1).reshape(-1, 3)
    seen = Observations(point, cam_m[:, :2] / cam_m[:, 2:], se3.inverse(poses)[view], np.full(len(view), 250.0))
    views = [view_of(SCENE, LEFT), replace(view_of(SCENE, RIGHT), given_world_T_cam=off @ RIGHT)]
    found = adjusted_poses(views, seen, view, SCENE.points_m[both], np.array([False, True]), config,
                           known_share * np.deg2rad(config.pose_rotation_sigma_deg), 1.0)
    assert np.allclose(found[0], se3.inverse(LEFT), atol=1e-9)
    assert least_m <= se3.pose_error(se3.inverse(found[1]), off @ RIGHT)[0] < most_m


def view_of(scene: PointScene, world_T_cam: np.ndarray, **noise: float) -> View:
    return View.of(0, world_T_cam, CAMERA, scene.features(world_T_cam, **noise))


def truth(features_a: np.ndarray, features_b: np.ndarray, scene: PointScene = SCENE) -> np.ndarray:
    """Return which matches are of one point."""
    return scene.visible(LEFT)[0][features_a] == scene.visible(RIGHT)[0][features_b]


def test_what_both_views_show_is_matched():
    a, b = (view_of(SCENE, pose, noise_px=0.3, similarity=0.93, seed=seed) for seed, pose in enumerate((LEFT, RIGHT)))
    of_a, of_b, similarity, distance_px = matched_features(a, b)
    both = len(np.intersect1d(SCENE.visible(LEFT)[0], SCENE.visible(RIGHT)[0]))
    assert len(of_a) > 0.95 * both
    assert truth(of_a, of_b).mean() > 0.97
    assert np.median(distance_px) < 0.5 and similarity.min() > MIN_SIMILARITY


def test_near_the_epipolar_lines_matches_are_those_that_all_features_have_and_more():
    a, b = (view_of(SCENE, pose, noise_px=0.3, similarity=0.93, seed=seed) for seed, pose in enumerate((LEFT, RIGHT)))
    of_a, of_b, *_ = matched_features(a, b)
    all_a, all_b, _ = mutual_matches(a.features.descriptors, b.features.descriptors, MIN_SIMILARITY)
    right = truth(all_a, all_b)
    found = set(zip(of_a.tolist(), of_b.tolist()))
    assert set(zip(all_a[right].tolist(), all_b[right].tolist())) <= found


def test_what_looks_the_same_elsewhere_hides_no_match():
    points_m = np.concatenate([SCENE.points_m, SCENE.points_m + [0, 1.5, 0]])
    twins = PointScene(points_m, np.tile(SCENE.descriptors, (2, 1)))
    a, b = view_of(SCENE, LEFT, similarity=0.93, seed=1), view_of(twins, RIGHT, similarity=0.93, seed=2)
    of_a, _, _, distance_px = matched_features(a, b)
    assert len(of_a) > 0.9 * len(np.intersect1d(SCENE.visible(LEFT)[0], SCENE.visible(RIGHT)[0]))
    assert np.median(distance_px) < 0.5


def test_a_keypoint_off_its_epipolar_line_is_told_how_far():
    a, b = view_of(SCENE, LEFT), view_of(SCENE, RIGHT)
    moved = Features(b.features.keypoints_px + np.float32([0, 10]), b.features.descriptors, b.features.scores)
    of_a, of_b, _, distance_px = matched_features(a, View.of(0, RIGHT, CAMERA, moved))
    assert np.median(distance_px[truth(of_a, of_b)]) > 5.0


def test_features_of_the_other_view_that_show_codes_already_are_left_out():
    a, b = view_of(SCENE, LEFT), view_of(SCENE, RIGHT)
    of_a, of_b, *_ = matched_features(a, b)
    b.link(of_b[10:20], np.arange(100, 110))
    _, again_b, *_ = matched_features(a, b)
    assert not np.isin(again_b, of_b[10:20]).any()
    assert len(again_b) == len(of_a) - 10


def test_what_looks_different_is_not_matched():
    stranger = PointScene(SCENE.points_m, -SCENE.descriptors)
    assert len(matched_features(view_of(SCENE, LEFT), view_of(stranger, RIGHT))[0]) == 0


def test_a_view_without_features_matches_nothing():
    nothing = PointScene(SCENE.points_m[:0], SCENE.descriptors[:0])
    for a, b in ((SCENE, nothing), (nothing, SCENE), (nothing, nothing)):
        assert [len(column) for column in matched_features(view_of(a, LEFT), view_of(b, RIGHT))] == [0, 0, 0, 0]


def test_no_feature_is_matched_twice():
    random = np.random.default_rng(1)
    alike = PointScene(SCENE.points_m, SCENE.descriptors[random.integers(0, 5, 300)])
    of_a, of_b, *_ = matched_features(view_of(alike, LEFT), view_of(alike, RIGHT))
    assert len(set(of_a.tolist())) == len(of_a) == len(set(of_b.tolist()))
