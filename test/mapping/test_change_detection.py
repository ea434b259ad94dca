"""Looking again where the robot has been: how often, what counts as changed, and what is learned of it."""

from __future__ import annotations

import copy
import functools
import itertools
from dataclasses import replace

import numpy as np

from cl_localization.config import ChangeDetectionConfig, DepthConfig, MapperConfig
from cl_localization.mapper import Mapper
from cl_localization.mapping.mapping_result import MappingResult
from core_makers import WALL_M, PointScene, SceneEncoder, look_at, unit_vectors, wall_depth

POSES = [look_at((0.2 * number, 0.0, 0.0), (0.2 * number, 0.0, WALL_M)) for number in range(-8, 13)]
LIGHT, STAYED = "place has changed", "no change"
UNSEEN = "known view"
WALL = PointScene.wall(900)
AT_ONCE = MapperConfig(change_detection=ChangeDetectionConfig(period_s=0.5))


class House:
    """A wall that a mapper drives along; other light gives every point another descriptor, moving the wall another
    depth."""

    def __init__(self, config: MapperConfig = AT_ONCE) -> None:
        self.encoder = SceneEncoder(PointScene(WALL.points_m, WALL.descriptors), noise_px=0.3, similarity=0.95)
        self.mapper = Mapper(config, self.encoder)

    def drive(self, poses: list[np.ndarray] = POSES) -> list[MappingResult]:
        """Drive along, and end the sequence."""
        results = [self.mapper.add(self.encoder.frame(pose, wall_depth(pose))) for pose in poses]
        self.mapper.finish()
        return results

    def switch_light(self, seed: int = 1, where: np.ndarray | None = None) -> None:
        """Have points look otherwise, all of them or those that a mask (P,) says."""
        others = unit_vectors(np.random.default_rng(seed), len(WALL.points_m), 64)
        where = np.ones(len(others), bool) if where is None else where
        self.encoder.scene.descriptors = np.where(where[:, None], others, self.encoder.scene.descriptors)


@functools.cache
def _driven_once() -> House:
    house = House()
    house.drive()
    return house


def driven() -> House:
    """A house that was driven along once; it was mapped once for all tests."""
    return copy.deepcopy(_driven_once())


def reasons(results: list[MappingResult]) -> list[str]:
    return [result.reason for result in results]


def test_a_place_that_looks_as_it_did_is_looked_at_and_left_as_it_is() -> None:
    house = driven()
    version = house.mapper.map_code.version
    assert set(reasons(house.drive())) == {STAYED}
    assert house.mapper.map_code.version == version


def test_looks_are_as_far_apart_in_time_as_asked_for() -> None:
    house = House(MapperConfig(change_detection=ChangeDetectionConfig(period_s=3.0)))
    house.drive()
    looked = [reason == STAYED for reason in reasons(house.drive())]
    assert sum(looked) == len(POSES) // 3 and not any(one and other for one, other in itertools.pairwise(looked))
    assert set(reasons(House(MapperConfig(change_detection=ChangeDetectionConfig(period_s=0.0))).drive()[1:])) == {
        "new view"
    }


def test_no_look_where_looking_is_off_or_there_is_no_depth() -> None:
    house = House(MapperConfig(change_detection=ChangeDetectionConfig(period_s=0.0)))
    house.drive()
    house.switch_light()
    encoded = len(house.encoder.encoded)
    assert set(reasons(house.drive())) == {UNSEEN} and len(house.encoder.encoded) == encoded
    other = driven()
    assert {other.mapper.add(other.encoder.frame(pose)).reason for pose in POSES[:1]} == {UNSEEN}


def test_other_light_is_learned_beside_the_light_before() -> None:
    house = driven()
    day = len(house.mapper.map_code)
    house.switch_light()
    assert set(reasons(house.drive())) == {LIGHT}
    codes = len(house.mapper.map_code)
    assert 1.5 * day < codes < 2.2 * day
    assert set(reasons(house.drive())) == {STAYED}
    house.encoder.scene.descriptors = WALL.descriptors
    assert set(reasons(house.drive())) == {STAYED}
    assert len(house.mapper.map_code) == codes


def test_where_one_view_has_changed_the_next_are_learned_until_some_have_not() -> None:
    house = House(MapperConfig(change_detection=ChangeDetectionConfig(period_s=100.0)))
    house.drive()
    house.mapper.add(replace(house.encoder.frame(POSES[0], wall_depth(POSES[0])), stamp_ns=0))
    house.switch_light(where=WALL.points_m[:, 0] < -1.5)
    frames = [house.encoder.frame(pose, wall_depth(pose)) for pose in POSES]
    told = [house.mapper.add(replace(frame, stamp_ns=10**9 * (1000 + number))).reason for number,
            frame in enumerate(frames)]
    changed = [reason == LIGHT for reason in told]
    assert changed[:4] == [True] * 4 and not any(changed[-4:])
    assert told[-1] == UNSEEN and STAYED in told


def test_a_part_of_the_image_that_changes_is_enough() -> None:
    house = House()
    house.drive(POSES[8:9])
    inside = (np.abs(WALL.points_m[:, 0]) < 0.9) & (np.abs(WALL.points_m[:, 1]) < 0.7)
    house.switch_light(where=inside)
    assert reasons(house.drive(POSES[8:9])) == [LIGHT]


def test_a_place_where_every_look_differs_is_learned_a_few_times_only() -> None:
    house = House()
    house.drive(POSES[8:9])
    told = []
    for seed in range(12):
        house.switch_light(seed)
        told += reasons(house.drive(POSES[8:9]))
    assert told == [LIGHT] * 4 + [UNSEEN] * 8
    assert len(house.mapper.map_code.keyframes) == 5


def test_codes_of_a_changed_place_that_are_not_seen_again_go() -> None:
    def codes(noisy_looks: int) -> int:
        """Codes after a drive at night, of which the first looks show features that are never seen again."""
        house = driven()
        for number, pose in enumerate(POSES):
            house.switch_light(seed=100 + min(number, noisy_looks))
            house.mapper.add(house.encoder.frame(pose, wall_depth(pose)))
        return len(house.mapper.map_code)
    assert codes(noisy_looks=3) < 1.1 * codes(noisy_looks=0)


def test_what_has_moved_away_between_two_sequences_fades() -> None:
    def left(free_space_views: int) -> int:
        """Codes nearer than the wall after it was moved away by half a metre."""
        house = House(MapperConfig(depth=DepthConfig(free_space_views=free_space_views)))
        house.drive()
        away = np.array([0.0, 0.0, 0.5])
        house.encoder.scene = PointScene(WALL.points_m + away, WALL.descriptors)
        for pose in POSES:
            house.mapper.add(house.encoder.frame(pose + np.pad(np.array([[0.05]]), ((1, 2), (3, 0))),
                                                 wall_depth(pose) + 0.5))
        return int((house.mapper.map_code.positions_m[:, 2] < WALL_M + 0.2).sum())
    assert left(3) < 0.35 * left(0)


def test_a_thing_that_was_seen_in_this_sequence_does_not_fade_by_measuring_past_it() -> None:
    house = driven()
    codes = len(house.mapper.map_code)
    house.drive()
    assert len(house.mapper.map_code) == codes
