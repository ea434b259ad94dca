"""Codes proposed by keyframes: only those that the keyframes show, each for one feature."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.geometry.camera import Camera
from cl_localization.localization.regressor import ShownCodes
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at

SCENE = PointScene.room(300)
HERE, AWAY = look_at((0.0, 0.0, 0.0), (0.0, 0.0, 3.8)), look_at((0.0, 0.0, 0.0), (0.0, 0.0, -3.8))


@pytest.fixture(scope="module")
def map_code() -> MapCode:
    """A map with one keyframe that sees the room, and one that looks away."""
    made = MapCode(MapCodeConfig(), "scene", 64)
    scene = made.scene_number("room")
    keyframe, _ = made.add_keyframe(HERE, 0, scene), made.add_keyframe(AWAY, 1, scene)
    made.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), np.full(300, 0.01, np.float32)),
                keyframe)
    return made


def test_features_lie_where_their_codes_are(map_code):
    regressor = ShownCodes(map_code).regressor(np.array([0]), CAMERA)
    features = SCENE.features(look_at((0.1, 0.0, 0.1), (0.1, 0.0, 3.8)), similarity=0.95)
    found = regressor.regress(features)
    truth = (features.descriptors[found.features] @ SCENE.descriptors.T).argmax(axis=1)
    assert len(found.rows) > 0.8 * len(SCENE.visible(HERE)[0])
    assert (np.linalg.norm(found.points_m - SCENE.points_m[truth], axis=1) < 1e-3).mean() > 0.98
    assert len(set(found.rows.tolist())) == len(set(found.features.tolist())) == len(found.rows)


@pytest.mark.parametrize("keyframes", [[1], [], [77]], ids=["looks away", "none", "given up"])
def test_keyframes_that_show_nothing_propose_nothing(map_code, keyframes):
    assert ShownCodes(map_code).regressor(np.array(keyframes, np.int64), CAMERA) is None


def test_keyframes_that_show_very_much_are_left_to_the_search_of_everything(map_code, monkeypatch):
    monkeypatch.setattr("cl_localization.localization.regressor.MAX_CODES", 10)
    assert ShownCodes(map_code).regressor(np.array([0]), CAMERA) is None


def test_what_keyframes_show_follows_the_map_and_the_camera(map_code):
    def shown(codes: ShownCodes, camera: Camera) -> int:
        return len(codes.regressor(np.array([0]), camera).regress(SCENE.features(HERE)).rows)

    changed = MapCode.from_snapshot(map_code.delta_since(0), MapCodeConfig())
    kept, narrow = ShownCodes(changed), Camera(40, 40, 300.0, 300.0, 20.0, 20.0)
    whole = shown(kept, CAMERA)
    assert 0 < shown(kept, narrow) < whole == shown(kept, CAMERA)
    changed.remove(changed.codes.rows()[::2])
    assert shown(kept, CAMERA) == shown(ShownCodes(changed), CAMERA) < whole
