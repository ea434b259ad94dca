"""Keyframes that a SLAM moves carry their codes along, and whoever follows the map ends with the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import MapCodeConfig
from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from core_makers import motion, motions
from map_makers import assert_same_map, empty_map, grow


def grown(keyframes: int = 5) -> MapCode:
    map_code = empty_map()
    for _ in range(keyframes):
        grow(map_code, 8)
    return map_code


def copied(map_code: MapCode) -> MapCode:
    return MapCode.from_snapshot(map_code.delta_since(0), MapCodeConfig())


SOME = st.sets(st.integers(0, 4), min_size=1)


@settings(max_examples=25)
@given(SOME, st.lists(motions(20.0), min_size=5, max_size=5))
def test_codes_keep_their_place_in_the_keyframe_that_they_are_anchored_to(chosen, corrections):
    map_code = grown()
    before, chosen = copied(map_code), np.array(sorted(chosen))
    map_code.move_keyframes(chosen, np.array(corrections)[chosen] @ map_code.keyframe_world_T_cam[chosen])
    assert map_code.version == before.version + 1
    for keyframe in range(5):
        rows = np.flatnonzero(map_code.codes.live & (map_code.codes["anchors"] == keyframe))
        local = [se3.transform(se3.inverse(each.keyframe_world_T_cam[keyframe]),
                               each.codes["positions_m"][rows].astype(float))
                 for each in (before, map_code)]
        np.testing.assert_allclose(*local, atol=1e-4)
        if keyframe not in chosen:
            np.testing.assert_array_equal(map_code.codes["positions_m"][rows], before.codes["positions_m"][rows])
    for name in ("keys", "sigmas_m", "seen", "anchors", "scenes"):
        np.testing.assert_array_equal(map_code.codes[name], before.codes[name])


def test_distances_from_a_keyframe_grow_with_their_uncertainty():
    map_code = grown()
    before, chosen, growth = copied(map_code), np.array([1, 3]), np.array([2.0, 0.5])
    map_code.move_keyframes(chosen, map_code.keyframe_world_T_cam[chosen], growth)
    for keyframe, factor in zip(chosen, growth):
        rows = np.flatnonzero(map_code.codes.live & (map_code.codes["anchors"] == keyframe))
        centre_m = map_code.keyframe_world_T_cam[keyframe, :3, 3]
        np.testing.assert_allclose(map_code.codes["positions_m"][rows] - centre_m,
                                   factor * (before.codes["positions_m"][rows] - centre_m), atol=1e-4)
        np.testing.assert_allclose(map_code.codes["sigmas_m"][rows], factor * before.codes["sigmas_m"][rows])


@settings(max_examples=25)
@given(SOME, motions(20.0))
def test_there_and_back_is_the_same_map(chosen, correction):
    map_code = grown()
    before, chosen = copied(map_code), np.array(sorted(chosen))
    old = map_code.keyframe_world_T_cam[chosen].copy()
    map_code.move_keyframes(chosen, correction @ old)
    map_code.move_keyframes(chosen, old)
    np.testing.assert_allclose(map_code.positions_m, before.positions_m, atol=2e-5)
    np.testing.assert_allclose(map_code.keyframe_world_T_cam, before.keyframe_world_T_cam, atol=1e-9)


@settings(max_examples=25)
@given(SOME, motions(20.0))
def test_one_delta_tells_a_follower_of_the_move(chosen, correction):
    map_code = grown()
    follower, chosen = copied(map_code), np.array(sorted(chosen))
    map_code.move_keyframes(chosen, correction @ map_code.keyframe_world_T_cam[chosen])
    delta = map_code.delta_since(follower.version)
    assert len(delta.keyframe_ids) == len(chosen) and len(delta.ids) == 8 * len(chosen)
    follower.apply(delta)
    assert_same_map(follower, map_code)


def test_moving_none_changes_nothing():
    map_code = grown()
    version = map_code.version
    map_code.move_keyframes(np.zeros(0, np.int64), np.zeros((0, 4, 4)))
    assert map_code.version == version


def test_cells_follow_from_where_the_codes_are_now():
    map_code = grown()
    cells = map_code.cells(map_code.positions_m)
    map_code.move_keyframes(np.arange(5), motion(np.zeros(3), np.array([1.0, 0, 0])) @ map_code.keyframe_world_T_cam)
    assert (map_code.cells(map_code.positions_m) != cells).all()


def test_a_fork_is_another_map_with_a_parent():
    map_code = grown()
    old, version = map_code.map_id, map_code.version
    assert map_code.fork() is map_code
    assert (map_code.parent_id, map_code.version) == (old, version) and map_code.map_id != old
