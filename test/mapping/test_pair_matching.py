"""Matches between two posed views: mutual, similar, and on their epipolar lines."""

from __future__ import annotations

import numpy as np

from cl_localization.features import Features
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.pair_matching import matched_features
from core_makers import CAMERA, PointScene, look_at, noisy

SCENE = PointScene.room(300)
LEFT, RIGHT = look_at((-0.4, 0.05, 0.0), (0.0, 0.0, 3.5)), look_at((0.4, -0.05, 0.1), (0.0, 0.0, 3.5))


def view_of(scene: PointScene, world_T_cam: np.ndarray, **noise: float) -> View:
    return View.of(0, world_T_cam, CAMERA, scene.features(world_T_cam, **noise))


def truth(features_a: np.ndarray, features_b: np.ndarray, scene: PointScene = SCENE) -> np.ndarray:
    """Return which matches are of one point."""
    return scene.visible(LEFT)[0][features_a] == scene.visible(RIGHT)[0][features_b]


def test_what_both_views_show_is_matched():
    a, b = (view_of(SCENE, pose, noise_px=0.3, similarity=0.93, seed=seed) for seed, pose in enumerate((LEFT, RIGHT)))
    matches = matched_features(a, b, 2.0)
    both = len(np.intersect1d(SCENE.visible(LEFT)[0], SCENE.visible(RIGHT)[0]))
    assert len(matches[0]) > 0.95 * both
    assert truth(*matches).mean() > 0.99


def test_points_that_look_alike_are_told_apart_by_the_epipolar_lines():
    random = np.random.default_rng(0)
    alike = PointScene(SCENE.points_m, noisy(random, SCENE.descriptors[random.integers(0, 8, 300)], 0.99))
    a, b = (view_of(alike, pose, similarity=0.95, seed=seed) for seed, pose in enumerate((LEFT, RIGHT)))
    tight, loose = matched_features(a, b, 1.0), matched_features(a, b, 1000.0)
    assert truth(*tight, alike).mean() > 2 * truth(*loose, alike).mean()


def test_a_keypoint_off_its_epipolar_line_is_not_matched():
    a, b = view_of(SCENE, LEFT), view_of(SCENE, RIGHT)
    moved = Features(b.features.keypoints_px + np.float32([0, 10]), b.features.descriptors, b.features.scores)
    off = View.of(0, RIGHT, CAMERA, moved)
    assert len(matched_features(a, off, 2.0)[0]) < 0.1 * len(matched_features(a, b, 2.0)[0])


def test_features_that_show_codes_already_are_left_out():
    a, b = view_of(SCENE, LEFT), view_of(SCENE, RIGHT)
    of_a, of_b = matched_features(a, b, 2.0)
    a.link(of_a[:10], np.arange(10))
    b.link(of_b[10:20], np.arange(100, 110))
    again_a, again_b = matched_features(a, b, 2.0)
    assert not np.isin(again_a, of_a[:10]).any()
    assert not np.isin(again_b, of_b[10:20]).any()
    assert len(again_a) == len(of_a) - 20


def test_what_looks_different_is_not_matched():
    stranger = PointScene(SCENE.points_m, -SCENE.descriptors)
    assert len(matched_features(view_of(SCENE, LEFT), view_of(stranger, RIGHT), 2.0)[0]) == 0


def test_a_view_without_features_matches_nothing():
    nothing = PointScene(SCENE.points_m[:0], SCENE.descriptors[:0])
    for a, b in ((SCENE, nothing), (nothing, SCENE), (nothing, nothing)):
        of_a, of_b = matched_features(view_of(a, LEFT), view_of(b, RIGHT), 2.0)
        assert (of_a.tolist(), of_b.tolist()) == ([], [])


def test_no_feature_is_matched_twice():
    random = np.random.default_rng(1)
    alike = PointScene(SCENE.points_m, SCENE.descriptors[random.integers(0, 5, 300)])
    of_a, of_b = matched_features(view_of(alike, LEFT), view_of(alike, RIGHT), 1000.0)
    assert len(set(of_a.tolist())) == len(of_a) == len(set(of_b.tolist()))
