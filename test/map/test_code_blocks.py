"""What a camera may see is found by blocks: all that the slow path finds, after any change of the map."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.geometry import se3
from cl_localization.localization.matching import visible_codes
from cl_localization.map import map_code as module
from cl_localization.map.map_code import MapCode
from core_makers import CAMERA, look_at
from map_makers import empty_map, grow

FAR_M = 1000.0


@pytest.fixture
def map_code() -> MapCode:
    """A map of two scenes with a few thousand codes."""
    made = empty_map()
    made.scene_number("hall")
    for seed in range(8):
        grow(made, 300, seed)
    made.join_scene(made.scene_number("kitchen"), 0)
    for seed in range(4):
        grow(made, 300, seed)
    return made


def assert_the_same_is_visible(map_code: MapCode, monkeypatch: pytest.MonkeyPatch, seed: int = 0) -> None:
    """Blocks and the whole map give the same visible codes, for cameras all over the place."""
    random, seen, looked_at = np.random.default_rng(seed), 0, []
    for number in range(12):
        world_T_cam = look_at(tuple(random.uniform(-6, 6, 3)), tuple(random.uniform(-5, 5, 3)))
        arguments = map_code, CAMERA, se3.inverse(world_T_cam), float(10 * (number % 3)), (None, 0, 1)[number % 3]
        monkeypatch.setattr(module, "FEW_CODES", 10**9)
        wanted = visible_codes(*arguments)
        monkeypatch.setattr(module, "FEW_CODES", 0)
        for values, others in zip(visible_codes(*arguments), wanted):
            np.testing.assert_array_equal(values, others)
        seen += len(wanted[0])
        looked_at.append(len(map_code.rows_in_view(*arguments[1:], 4.0)))
    assert seen > 100 and np.mean(looked_at) < 0.7 * len(map_code)


def test_the_same_is_visible_as_without_blocks(map_code, monkeypatch):
    assert_the_same_is_visible(map_code, monkeypatch)


def test_blocks_follow_every_change_of_the_map(map_code, monkeypatch):
    assert_the_same_is_visible(map_code, monkeypatch)
    rows = map_code.codes.rows()
    map_code.remove(rows[::5])
    assert_the_same_is_visible(map_code, monkeypatch, 1)
    grow(map_code, 500, 9)
    moved = map_code.codes.rows()[::7]
    map_code.move(moved, -map_code.codes["positions_m"][moved], map_code.codes["sigmas_m"][moved])
    assert_the_same_is_visible(map_code, monkeypatch, 2)
    frames = map_code.keyframes.rows()
    shifted = map_code.keyframe_world_T_cam.copy()
    shifted[:, :3, 3] += [2.0, -1.0, 0.5]
    map_code.move_keyframes(frames[::2], shifted[::2])
    map_code.move_keyframe(int(frames[1]), look_at((30.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    assert_the_same_is_visible(map_code, monkeypatch, 3)
    map_code.join_scene(1, 0)
    map_code.apply(map_code.delta_since(0))
    assert_the_same_is_visible(map_code, monkeypatch, 4)


def test_codes_much_farther_than_they_were_seen_from_are_left_out(map_code, monkeypatch):
    monkeypatch.setattr(module, "FEW_CODES", 0)
    away = se3.inverse(look_at((-FAR_M, 0.0, 0.0), (0.0, 0.0, 0.0)))
    assert len(map_code.rows_in_view(CAMERA, away, 0.0, None, 4.0)) == 0
    assert len(map_code.rows_in_view(CAMERA, away, 0.0, None, np.inf)) == len(map_code)


def test_codes_are_as_far_as_a_keyframe_that_was_moved_away_saw_them_from(map_code, monkeypatch):
    monkeypatch.setattr(module, "FEW_CODES", 0)
    far = look_at((-FAR_M, 0.0, 0.0), (0.0, 0.0, 0.0))
    assert len(map_code.rows_in_view(CAMERA, se3.inverse(far), 0.0, None, 4.0)) == 0
    map_code.move_keyframe(int(map_code.keyframes.rows()[0]), far)
    assert len(map_code.rows_in_view(CAMERA, se3.inverse(far), 0.0, None, 4.0)) > 0


def test_codes_out_of_all_bounds_are_in_view_too(monkeypatch):
    monkeypatch.setattr(module, "FEW_CODES", 0)
    map_code = empty_map()
    grow(map_code, 50)
    rows = map_code.codes.rows()
    map_code.move(rows, map_code.codes["positions_m"][rows] + np.float32(1e6), map_code.codes["sigmas_m"][rows])
    there = se3.inverse(look_at((1e6, 1e6, 1e6 - 20), (1e6, 1e6, 1e6)))
    assert len(map_code.rows_in_view(CAMERA, there, 0.0, 0, np.inf)) == 50


def test_an_empty_map_shows_nothing(monkeypatch):
    monkeypatch.setattr(module, "FEW_CODES", -1)
    assert len(empty_map().rows_in_view(CAMERA, np.eye(4), 0.0, None, 4.0)) == 0
