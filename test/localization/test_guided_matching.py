"""Matching near a known pose: one to one, within the radius, and only what faces the camera."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import MapCodeConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.localization.matching import (
    MAX_VIEW_ANGLE_DEG,
    GuidedMatches,
    guided_matches,
    visible_codes,
)
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at, noisy

SCENE = PointScene.room(400)
HERE = look_at((0.2, 0.0, 0.0), (0.0, 0.0, 3.5))


def map_of(scene: PointScene, world_T_cam: np.ndarray = np.eye(4), rows: slice = slice(None)) -> MapCode:
    map_code = MapCode(MapCodeConfig(), "scene", scene.descriptors.shape[1])
    frame = map_code.add_keyframe(world_T_cam, 0, map_code.scene_number("room"))
    points_m = scene.points_m[rows].astype(np.float32)
    map_code.insert(NewCodes(scene.descriptors[rows], points_m, np.full(len(points_m), 0.01, np.float32)), frame)
    return map_code


def matched(map_code: MapCode, features: Features, radius_px: float = 6.0,
            world_T_cam: np.ndarray = HERE) -> GuidedMatches:
    """Match near a pose, with a least similarity of 0.7."""
    return guided_matches(map_code, features, features.keypoints_px.astype(float), CAMERA, se3.inverse(world_T_cam),
                          radius_px, 0.7)


def test_every_visible_point_is_matched_with_its_code():
    features = SCENE.features(HERE, noise_px=0.5, similarity=0.9)
    seen, _ = SCENE.visible(HERE)
    found = matched(map_of(SCENE), features)
    assert len(found.features) > 0.97 * len(seen)
    np.testing.assert_array_equal(found.rows, seen[found.features])


@settings(max_examples=20)
@given(st.floats(0.5, 20), st.integers(0, 1000))
def test_matches_are_one_to_one_within_the_radius_and_similar(radius_px, seed):
    random = np.random.default_rng(seed)
    few = PointScene(SCENE.points_m, SCENE.descriptors[random.integers(0, 20, 400)])
    features = few.features(HERE, noise_px=3.0, similarity=0.9, seed=seed)
    map_code = map_of(few)
    found = matched(map_code, features, radius_px)
    assert len(set(found.features.tolist())) == len(set(found.rows.tolist())) == len(found.rows)
    pixels, _ = project(CAMERA, se3.inverse(HERE), map_code.codes["positions_m"][found.rows])
    assert (np.linalg.norm(pixels - features.keypoints_px[found.features], axis=1) <= radius_px + 1e-3).all()
    assert (np.einsum("nd,nd->n", map_code.descriptors(found.rows), features.descriptors[found.features]) > 0.7).all()


def test_what_looks_different_is_not_matched():
    features = SCENE.features(HERE)
    strangers = Features(features.keypoints_px, -features.descriptors, features.scores)
    assert len(matched(map_of(SCENE), strangers).rows) == 0


def test_of_two_alike_the_more_similar_is_matched_though_it_is_not_the_nearer():
    features = SCENE.features(HERE)
    random = np.random.default_rng(0)
    twice = Features(np.concatenate([features.keypoints_px, features.keypoints_px + 1]),
                     np.concatenate([noisy(random, features.descriptors, 0.85), features.descriptors]),
                     np.ones(2 * len(features)))
    found = matched(map_of(SCENE), twice)
    assert (found.features >= len(features)).mean() > 0.9


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_features_are_no_problem(count):
    features = SCENE.features(HERE).select(slice(count))
    assert len(matched(map_of(SCENE), features).rows) == count


@pytest.mark.parametrize("count", [0, 1])
def test_few_codes_are_no_problem(count):
    seen, _ = SCENE.visible(HERE)
    map_code = map_of(SCENE, rows=slice(seen[0], seen[0] + count))
    assert len(matched(map_code, SCENE.features(HERE)).rows) == count


def test_visible_codes_are_those_in_the_image_and_its_margin():
    map_code = map_of(SCENE)
    seen, exact_px = SCENE.visible(HERE)
    rows, pixels = visible_codes(map_code, CAMERA, se3.inverse(HERE), 0.0)
    assert np.isin(rows, seen).all()
    assert len(rows) >= len(seen) - 2
    np.testing.assert_allclose(pixels, exact_px[np.isin(seen, rows)], atol=1e-2)
    assert len(visible_codes(map_code, CAMERA, se3.inverse(HERE), 40.0)[0]) > len(rows)


def test_codes_behind_the_camera_are_not_visible():
    turned = look_at((0.2, 0.0, 0.0), (0.0, 0.0, -3.5))
    assert len(visible_codes(map_of(SCENE), CAMERA, se3.inverse(turned), 10.0)[0]) == 0
    assert len(matched(map_of(SCENE), SCENE.features(HERE), world_T_cam=turned).rows) == 0


@pytest.mark.parametrize(("angle_deg", "visible"), [(0, True), (MAX_VIEW_ANGLE_DEG - 5, True),
                                                    (MAX_VIEW_ANGLE_DEG + 5, False),
                                                    (180, False)])
def test_a_code_faces_where_it_was_first_seen_from(angle_deg, visible):
    one = PointScene(np.array([[0.0, 0.0, 3.0]]), SCENE.descriptors[:1])
    angle = np.deg2rad(angle_deg)
    around = look_at((3 * np.sin(angle), 0.0, 3 - 3 * np.cos(angle)), (0.0, 0.0, 3.0))
    assert len(visible_codes(map_of(one), CAMERA, se3.inverse(around), 0.0)[0]) == int(visible)
