"""Pairs of images against what was given with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.map.keyframe_views import View
from cl_localization.mapping.audit.image_pairs import (
    FOCAL_FACTORS,
    AuditedView,
    agreements_with,
    epipolar_errors,
    evidence_of,
    matched_pair,
)
from core_makers import CAMERA, PointScene, look_at, motion, unit_vectors

SCENE = PointScene.room(300)
LEFT, RIGHT = look_at((-0.4, 0.05, 0.0), (0.3, 0.0, 3.5)), look_at((0.4, -0.05, 0.1), (-0.2, 0.1, 3.5))


def seen_from(world_T_cam: np.ndarray, scene: PointScene = SCENE, depth_factor: float = 0.0, seed: int = 0,
              noise_px: float = 0.3) -> AuditedView:
    features = scene.features(world_T_cam, noise_px=noise_px, similarity=0.95, seed=seed)
    view = View.of(seed, world_T_cam, CAMERA, features)
    rows, _ = scene.visible(world_T_cam)
    depths_m = se3.transform(se3.inverse(world_T_cam), scene.points_m[rows])[:, 2]
    return AuditedView.of(view, depth_factor * depths_m, np.ones(256) / 16)


def pair_of(first: AuditedView, second: AuditedView):
    pair = matched_pair(first, second)
    assert pair is not None
    return pair


def test_images_of_one_scene_are_a_pair_whatever_poses_are_given() -> None:
    first, second = seen_from(LEFT), seen_from(RIGHT, seed=1)
    lost = replace(second, world_T_cam=np.eye(4))
    assert len(pair_of(first, second).rays_first) == len(pair_of(first, lost).rays_first) > 100
    assert evidence_of(pair_of(first, second)).agreement[0] > 0.95
    assert evidence_of(pair_of(first, lost)).agreement[0] < 0.5


def test_images_of_different_places_or_with_few_features_are_none() -> None:
    other = PointScene(SCENE.points_m, unit_vectors(np.random.default_rng(7), 300, 64))
    assert matched_pair(seen_from(LEFT), seen_from(RIGHT, other)) is None
    few = PointScene(SCENE.points_m[:30], SCENE.descriptors[:30])
    assert matched_pair(seen_from(LEFT, few), seen_from(RIGHT, few)) is None


def test_right_depth_has_the_ratio_one_and_no_depth_none() -> None:
    first, second = seen_from(LEFT, depth_factor=1.0), seen_from(RIGHT, seed=1)
    assert evidence_of(pair_of(first, second)).depth_ratio == pytest.approx(1.0, abs=0.02)
    assert evidence_of(pair_of(seen_from(LEFT, depth_factor=0.2), second)).depth_ratio == pytest.approx(0.2, abs=0.01)
    assert np.isnan(evidence_of(pair_of(seen_from(LEFT), second)).depth_ratio)


def test_right_matches_lie_on_their_epipolar_lines() -> None:
    first, second = seen_from(LEFT, noise_px=0.0), seen_from(RIGHT, noise_px=0.0)
    pair = pair_of(first, second)
    assert epipolar_errors((LEFT, RIGHT), pair.rays_first, pair.rays_second).max() < 1e-5
    assert evidence_of(pair).error_px < 0.01


def test_from_one_position_the_rotation_alone_must_fit() -> None:
    turned = LEFT @ motion(np.array([0.0, 0.15, 0.0]), np.zeros(3))
    pair = pair_of(seen_from(LEFT), seen_from(turned, seed=1))
    assert agreements_with(pair, LEFT[None], turned[None], np.ones(1))[0] > 0.95
    assert agreements_with(pair, LEFT[None], LEFT[None], np.ones(1))[0] < 0.3


def test_the_given_focal_length_is_tried_first() -> None:
    assert FOCAL_FACTORS[0] == 1.0 and len(np.unique(FOCAL_FACTORS)) == len(FOCAL_FACTORS)
