"""Several scenes in one map: equal coordinates in two of them are different places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import MAX_SCENE_NAME, MapCodeConfig, PoseConfig
from cl_localization.errors import MapError
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.localization.matching import guided_matches, visible_codes
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localization.regressor import NearestRegressor
from cl_localization.map import map_code as map_code_module
from cl_localization.map.map_code import MapCode, NewCodes, cell_labels
from core_makers import CAMERA, PointScene, look_at, unit_vectors

DIM = 64
ROOMS = [PointScene.room(400, DIM, seed) for seed in range(2)]


def codes_of(points_m: np.ndarray, descriptors: np.ndarray) -> NewCodes:
    return NewCodes(descriptors, points_m.astype(np.float32), np.full(len(points_m), 0.005, np.float32))


def two_rooms() -> MapCode:
    """Two rooms in the same coordinates, told apart only by what they look like."""
    map_code = MapCode(MapCodeConfig(), "scene", DIM)
    for number, room in enumerate(ROOMS):
        frame = map_code.add_keyframe(np.eye(4), number, map_code.scene_number(f"room {number}"))
        map_code.insert(codes_of(room.points_m, room.descriptors), frame)
    return map_code


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=30), st.integers(1, 3))
def test_cells_fill_up_scene_by_scene(codes, modes):
    map_code = MapCode(MapCodeConfig(cell_size_m=0.1, modes_per_cell=modes), "scene", DIM)
    frames = [map_code.add_keyframe(np.eye(4), 0, map_code.scene_number(str(scene))) for scene in range(3)]
    for number, (scene, cell) in enumerate(codes):
        new = codes_of(np.array([[0.1 * cell + 0.05, 0, 0]]), unit_vectors(np.random.default_rng(number), 1, DIM))
        map_code.insert(new, frames[scene])
    for scene in range(3):
        here = np.bincount([cell for of, cell in codes if of == scene], minlength=1)
        assert len(map_code.rows_of(scene)) == np.minimum(here, modes).sum()
    assert len(map_code.rows_of(None)) == len(map_code)


@given(st.lists(st.tuples(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(-1000, 1000),
                          st.integers(0, 65535)),
                min_size=1, max_size=60))
def test_equal_cells_of_different_scenes_have_labels_of_their_own(places):
    cells, scenes = np.array(places)[:, :3], np.array(places)[:, 3]
    assert len(np.unique(cell_labels((cells + 0.5) * 0.25, 0.25, scenes))) == len(set(places))


def test_keyframes_are_told_by_scene():
    map_code = two_rooms()
    assert len(map_code.keyframe_world_T_cam) == 2
    assert [len(map_code.keyframes_of(scene)) for scene in (0, 1, 2)] == [1, 1, 0]


def test_a_scene_has_a_name():
    map_code = MapCode(MapCodeConfig(), "scene", DIM)
    for name in ("", "x" * (MAX_SCENE_NAME + 1)):
        with pytest.raises(MapError, match="name of the scene must have 1 to 1000 characters"):
            map_code.scene_number(name)


def test_there_are_no_more_scenes_than_numbers(monkeypatch):
    monkeypatch.setattr(map_code_module, "MAX_SCENES", 2)
    map_code = two_rooms()
    assert map_code.scene_number("room 1") == 1
    with pytest.raises(MapError, match="map must have at most 2 scenes, found one more, 'cellar'"):
        map_code.scene_number("cellar")


def test_only_codes_of_the_scene_are_seen_and_matched():
    map_code, pose = two_rooms(), look_at((0.2, 0.0, 0.0), (0.0, 0.0, 3.8))
    for scene, room in enumerate(ROOMS):
        rows, _ = visible_codes(map_code, CAMERA, inverse(pose), 0.0, scene)
        assert set(map_code.codes["scenes"][rows].tolist()) == {scene}
        features = room.features(pose)
        found = guided_matches(map_code, features, features.keypoints_px, CAMERA, inverse(pose), 8.0, 0.5, scene)
        assert len(found.rows) > 0.9 * len(features)
        other = guided_matches(map_code, features, features.keypoints_px, CAMERA, inverse(pose), 8.0, 0.5, 1 - scene)
        assert len(other.rows) == 0


def test_a_code_that_looks_alike_in_another_scene_is_a_rival_even_in_the_same_place():
    map_code = MapCode(MapCodeConfig(), "scene", DIM)
    for scene in ("a", "b"):
        frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number(scene))
        map_code.insert(codes_of(ROOMS[0].points_m[:1], ROOMS[0].descriptors[:1]), frame)
    assert NearestRegressor(map_code).regress(ROOMS[0].features(np.eye(4)).select(slice(1))).ambiguity[0] > 0.9


@settings(max_examples=8)
@given(st.integers(0, 1), st.floats(0.55, 1.0), st.integers(0, 99))
def test_a_pose_is_of_one_scene_though_features_of_another_agree_with_it(scene, share, seed):
    map_code, pose = two_rooms(), look_at((0.2, 0.1, 0.0), (0.0, 0.0, 3.8))
    here, there = (ROOMS[number].features(pose, noise_px=0.5, similarity=0.9, seed=seed)
                   for number in (scene, 1 - scene))
    kept, strange = int(share * len(here)), int((1 - share) * len(there))
    mixed = type(here)(*(np.concatenate([getattr(here, name)[:kept], getattr(there, name)[:strange]])
                         for name in ("keypoints_px", "descriptors", "scores")))
    found = PoseEstimator(map_code, NearestRegressor(map_code), PoseConfig()).estimate(mixed, CAMERA)
    assert set(map_code.codes["scenes"][found.inlier_codes].tolist()) == {scene}
    assert pose_error(found.world_T_cam, pose)[0] < 0.03


def test_a_scene_that_joins_another_brings_its_keyframes_and_codes() -> None:
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    for name in ("hall", "kitchen"):
        keyframe = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number(name))
        map_code.insert(NewCodes(np.eye(3, 64, dtype=np.float32), np.eye(3, dtype=np.float32),
                                 np.full(3, 0.01, np.float32)), keyframe)
    version = map_code.version
    map_code.join_scene(1, 0)
    assert len(map_code.rows_of(0)) == 6 and len(map_code.rows_of(1)) == 0
    assert len(map_code.keyframes_of(0)) == 2
    assert len(map_code.delta_since(version).ids) == 3
