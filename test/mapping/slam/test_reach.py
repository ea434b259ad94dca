"""Whether a camera can have gone from where it was lost to where it began another part of the map."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.reach import FLOOR_M, Reach
from core_makers import motion

OLD, NEW, NEWEST = 0, 1, 2
SPEED_M_S = 2.0


def at(x_m: float) -> np.ndarray:
    """Return a pose (4, 4) on the x axis, turned a little."""
    return motion(np.array([0.0, 0.3, 0.0]), np.array([x_m, 0.0, 0.0]))


def lost_for(seconds: float) -> Reach:
    """Return what is known of a camera that was lost at x = 5 m of one scene, half a metre from its keyframe, and began
    another at x = 1 m of that."""
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    keyframe = map_code.add_keyframe(at(4.5), 1, map_code.scene_number("old"))
    assert map_code.scene_number("new") == NEW
    reach = Reach(map_code, SPEED_M_S)
    reach.began(NEW, at(1.0), 100.0, keyframe, at(5.0), 100.0 - seconds)
    return reach


def shift(x_m: float) -> np.ndarray:
    """Return a motion along x."""
    return motion(np.zeros(3), np.array([x_m, 0.0, 0.0]))


@pytest.mark.parametrize("seconds, farthest_m", [(0.0, FLOOR_M), (1.0, FLOOR_M + 2.0), (60.0, FLOOR_M + 120.0)])
def test_parts_are_as_far_apart_as_a_camera_can_have_gone(seconds: float, farthest_m: float) -> None:
    reach = lost_for(seconds)
    for to_old, is_near in ((4.0, True), (4.0 + farthest_m - 0.01, True), (4.0 + farthest_m + 0.01, False)):
        assert reach.allows(NEW, OLD, shift(to_old)) == is_near
        assert reach.allows(OLD, NEW, shift(-to_old)) == is_near


def test_of_parts_that_were_not_begun_from_each_other_nothing_is_known() -> None:
    assert lost_for(0.0).allows(NEW, NEWEST, shift(1000.0))


@pytest.mark.parametrize("to_old, is_near", [(4.0 + FLOOR_M + 5.9, True), (4.0 + FLOOR_M + 6.1, False)])
def test_who_was_lost_twice_can_have_gone_on_in_between(to_old: float, is_near: bool) -> None:
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    first, second, _ = (map_code.scene_number(name) for name in ("old", "new", "newest"))
    reach = Reach(map_code, SPEED_M_S)
    reach.began(NEW, at(0.0), 11.0, map_code.add_keyframe(at(4.5), 1, first), at(5.0), 10.0)
    reach.began(NEWEST, at(1.0), 13.0, map_code.add_keyframe(at(0.0), 2, second), at(0.2), 12.5)
    assert reach.allows(NEWEST, OLD, shift(to_old)) == is_near
    assert reach.allows(OLD, NEWEST, shift(-to_old)) == is_near
