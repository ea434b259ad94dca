"""Whether a camera can have gone from where it was lost to where it began another part of the map."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.geometry import se3
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


@pytest.mark.parametrize("unit", [0.5, 2.0])
def test_a_part_with_another_unit_of_length_is_as_near_as_it_is_in_the_other(unit: float) -> None:
    reach = lost_for(0.0)
    for off_m, is_near in ((0.9 * FLOOR_M, True), (1.1 * FLOOR_M, False)):
        to_old = se3.similarity(shift(5.0 - unit + off_m), unit)
        assert reach.allows(NEW, OLD, to_old) == reach.allows(OLD, NEW, np.linalg.inv(to_old)) == is_near


class LostTwice:
    """What is known of a camera that was lost in one scene, began another at once, was lost half a second in that, and
    began a third."""

    def __init__(self) -> None:
        self.map_code = MapCode(MapCodeConfig(), "scene", 64)
        old, new, _ = (self.map_code.scene_number(name) for name in ("old", "new", "newest"))
        self.reach = Reach(self.map_code, SPEED_M_S)
        self.in_old = self.map_code.add_keyframe(at(4.5), 1, old)
        self.in_new = self.map_code.add_keyframe(at(0.0), 2, new)
        self.reach.began(NEW, at(0.0), 11.0, self.in_old, at(5.0), 10.0)
        self.reach.began(NEWEST, at(1.0), 13.0, self.in_new, at(0.2), 12.5)

    def remove(self, keyframe: int) -> None:
        """Remove a keyframe, as for the budget."""
        self.map_code.keyframes.remove(np.array([keyframe]), self.map_code.version + 1)

    def allows(self, scene: int, to_old: float) -> bool:
        """Return whether a scene may lie there from the first, asked from both."""
        there = self.reach.allows(scene, OLD, shift(to_old))
        assert self.reach.allows(OLD, scene, shift(-to_old)) == there
        return there


@pytest.mark.parametrize("to_old, is_near", [(4.0 + FLOOR_M + 5.9, True), (4.0 + FLOOR_M + 6.1, False)])
def test_who_was_lost_twice_can_have_gone_on_in_between(to_old: float, is_near: bool) -> None:
    assert LostTwice().allows(NEWEST, to_old) == is_near


def test_of_who_was_lost_at_a_keyframe_that_is_gone_nothing_is_known() -> None:
    for scene, gone in ((NEW, "in_old"), (NEWEST, "in_old"), (NEWEST, "in_new")):
        lost = LostTwice()
        lost.remove(getattr(lost, gone))
        assert lost.allows(scene, 1000.0)


def test_a_keyframe_with_the_number_of_one_that_is_gone_is_not_taken_for_it() -> None:
    lost = LostTwice()
    lost.remove(lost.in_old)
    assert lost.map_code.add_keyframe(at(100.0), 3, OLD) == lost.in_old
    assert lost.allows(NEW, 4.0) and lost.allows(NEWEST, 4.0)


def test_a_scene_that_was_begun_again_since_leads_nowhere() -> None:
    lost = LostTwice()
    elsewhere = lost.map_code.scene_number("elsewhere")
    lost.reach.began(OLD, at(0.0), 200.0, lost.map_code.add_keyframe(at(0.0), 3, elsewhere), at(0.0), 199.0)
    assert lost.reach.allows(NEW, elsewhere, shift(0.0))
