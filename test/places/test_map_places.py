"""The places of a map: keyframes come and go, drives are recognised, poses are checked."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, PlaceConfig
from cl_localization.features import Features
from cl_localization.map.map_code import MapCode
from cl_localization.places.map_places import NEAR_KEYFRAMES, MapPlaces, place_descriptor
from core_makers import noisy, unit_vectors

STEP_M = 0.5


def image(seed: int, similarity: float = 0.97) -> Features:
    """An image of ten things of its own, seen with some noise."""
    rng = np.random.default_rng(seed)
    things = unit_vectors(rng, 10, 64)[rng.integers(0, 10, 120)]
    descriptors = noisy(np.random.default_rng(seed + 10**6), things, similarity)
    return Features(np.zeros((120, 2), np.float32), descriptors, np.ones(120, np.float32))


def at(x_m: float) -> np.ndarray:
    pose = np.eye(4)
    pose[0, 3] = x_m
    return pose


@cache
def look(seed: int) -> np.ndarray:
    """The descriptor (256,) of an image of ten things of its own."""
    return place_descriptor(image(seed).descriptors)


def add_route(map_code: MapCode, scene: str, seeds: range, start_m: float = 0.0) -> list[int]:
    """Map images along a straight line."""
    return [map_code.add_keyframe(at(start_m + STEP_M * number), 10**9 * (map_code.version + 1),
                                  map_code.scene_number(scene),
                                  descriptor=look(seed)) for number, seed in enumerate(seeds)]


@pytest.fixture
def map_code() -> MapCode:
    """Two routes of 30 keyframes that lie over each other."""
    made = MapCode(MapCodeConfig(), "scene", 64)
    add_route(made, "ground floor", range(30))
    add_route(made, "first floor", range(100, 130))
    return made


def test_a_drive_is_recognised_and_says_where_to_search_first(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(sequence_length=3))
    found = [places.recognize(image(seed, 0.9)) for seed in range(110, 116)]
    assert [one.places[0].keyframe_id for one in found] == list(range(40, 46))
    assert found[-1].places[0].scene == "first floor" and found[-1].keyframes.tolist() == [45]
    assert [one.complete for one in found[:4]] == [False, False, True, True]


def test_keyframes_are_followed_as_they_come_go_move_and_are_numbered_again(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(sequence_length=1))
    places.recognize(image(0))
    assert len(places) == 60
    map_code.move_keyframes(np.array([3, 4]), np.stack([at(90.0), at(91.0)]))
    map_code.keyframes.remove(np.array([10, 11]), map_code.version)
    new = add_route(map_code, "attic", range(200, 203))
    assert new[:2] == [10, 11]
    found = places.recognize(image(201, 0.95))
    assert len(places) == 61 and (found.places[0].scene, found.places[0].keyframe_id) == ("attic", new[1])


def test_a_keyframe_without_descriptor_is_no_place(map_code) -> None:
    map_code.add_keyframe(at(0.0), 5, 0)
    places = MapPlaces(map_code, PlaceConfig())
    places.recognize(image(0))
    assert len(places) == 60
    assert places.recognize(Features(np.zeros((0, 2)), np.zeros((0, 64), np.float32), np.zeros(0))).places == []


def test_switched_off_nothing_is_recognised(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(enabled=False))
    assert places.recognize(image(3)).places == [] and len(places) == 0


def test_images_from_one_spot_count_once_unless_they_look_other(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(sequence_length=4, min_travel_m=0.1))
    assert not any(places.recognize(image(5, 0.95), at(0.001 * number)).complete for number in range(8))
    for seed in (6, 7, 8):
        found = places.recognize(image(seed, 0.95), at(0.0))
    assert found.complete and found.places[0].keyframe_id == 8


def test_a_pose_that_contradicts_the_place_is_told_when_the_images_are_sure(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(sequence_length=3, places=1))
    found = places.recognize(image(10))
    assert places.contradiction(found, "ground floor", at(5.0)) is None
    for seed in (11, 12, 13):
        found = places.recognize(image(seed))
    assert places.contradiction(found, "ground floor", at(6.5)) == ""
    assert "look like scene ground floor, the pose lies in first floor" in places.contradiction(
        found, "first floor", at(6.5)
    )
    assert "look like a place 43.5 m away" in places.contradiction(found, "ground floor", at(50.0))


def test_places_that_disagree_say_nothing_of_a_pose(map_code) -> None:
    places = MapPlaces(map_code, PlaceConfig(sequence_length=2))
    for seed in (10, 11, 12):
        found = places.recognize(image(seed))
    assert len({place.scene for place in found.places}) > 1
    assert places.contradiction(found, "first floor", at(6.0)) is None


@pytest.mark.parametrize("scene, keyframe", [("ground floor", 4), ("first floor", 34)])
def test_the_place_of_a_pose_is_the_nearest_keyframe_of_its_scene(map_code, scene, keyframe) -> None:
    places = MapPlaces(map_code, PlaceConfig())
    places.recognize(image(4))
    found = places.place_at(scene, at(2.1))
    assert (found.scene, found.keyframe_id) == (scene, keyframe)
    assert (found.score > 0.9) == (scene == "ground floor")


def test_keyframes_near_a_guessed_pose_are_those_that_look_its_way():
    map_code = MapCode(MapCodeConfig(), "xfeat", 64)
    keyframes = add_route(map_code, "hall", range(10))
    places = MapPlaces(map_code, PlaceConfig())
    assert places.near(at(3 * STEP_M)).tolist()[0] == keyframes[3] and len(places.near(at(0))) == NEAR_KEYFRAMES
    backwards = at(3 * STEP_M)
    backwards[:3, :3] = np.diag([-1.0, 1, -1])
    assert set(places.near(backwards)) == set(places.near(at(3 * STEP_M)))
