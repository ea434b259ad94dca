"""Images that agree with two poses, as what they show was one rigid whole in the map and is two now."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, MapCodeConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.localization.hierarchical_search import PoseSearch
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at, motion, unit_vectors

SCENE = PointScene.room(900)
HERE = look_at((0.2, 0.0, 0.0), (0.0, 0.0, 3.8))


@pytest.fixture(scope="module")
def room() -> MapCode:
    """The room before anything was moved."""
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    sigmas_m = np.full(len(SCENE.points_m), 0.005, np.float32)
    map_code.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), sigmas_m), keyframe)
    return map_code


FAR = motion(np.array([0.0, 0.35, 0.0]), np.array([-0.9, 0.0, 0.9]))
"""Half a metre, and 20 degrees."""


def image(moved: slice | None = None, unknown: int = 0, by: np.ndarray = FAR) -> Features:
    """Return what is seen after some of the points were moved together by a motion (4, 4), among features that the map
    does not know."""
    points_m = SCENE.points_m.copy()
    if moved is not None:
        points_m[moved] = se3.transform(by, points_m[moved])
    seen = PointScene(points_m, SCENE.descriptors).features(HERE, noise_px=0.3, similarity=0.95)
    random = np.random.default_rng(1)
    others = Features(random.uniform([0, 0], [320, 240], (unknown, 2)).astype(np.float32),
                      unit_vectors(random, unknown, 64), np.full(unknown, 0.1, np.float32))
    return Features(np.concatenate([seen.keypoints_px, others.keypoints_px]),
                    np.concatenate([seen.descriptors, others.descriptors]),
                    np.concatenate([seen.scores, others.scores]))


def found_in(map_code: MapCode, features: Features) -> Localization:
    search = PoseSearch(map_code, LocalizerConfig(regressor="nearest"))
    return search.with_rival(features, CAMERA, search.find(features, CAMERA))


def test_an_image_of_two_rigid_groups_has_a_rival_pose(room):
    features = image(moved=slice(0, 400), unknown=600)
    found = found_in(room, features)
    assert found.accepted
    assert found.expected == pytest.approx(len(image()) / len(features), abs=0.1)
    assert 0.1 < found.explained < 0.32
    assert found.rival_inliers > 0.25 * found.inliers


def test_a_rival_pose_may_be_of_a_camera_that_only_turned(room):
    turned = HERE @ motion(np.array([0.0, 0.25, 0.0]), np.zeros(3)) @ se3.inverse(HERE)
    found = found_in(room, image(moved=slice(0, 400), by=turned))
    assert found.accepted and found.rival_inliers > 0.2 * found.inliers


def test_what_moved_a_little_is_no_rival(room):
    found = found_in(room, image(moved=slice(0, 400), by=motion(np.zeros(3), np.array([0.35, 0.0, 0.0]))))
    assert found.accepted and found.rival_inliers == 0


def test_an_image_that_the_map_knows_in_part_has_none(room):
    found = found_in(room, image(unknown=1100))
    assert found.accepted
    assert found.rival_inliers < 20
