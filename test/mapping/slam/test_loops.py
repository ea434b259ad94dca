"""A loop is believed once a second view, from elsewhere, says the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cl_localization.geometry import se3
from cl_localization.mapping.slam.depth_pose import SeenPose
from cl_localization.mapping.slam.loops import MIN_BASELINE_M, Loop
from core_makers import motion

SCALE = 1.2
TO_OLD = se3.similarity(motion(np.array([0.0, 0.5, 0.0]), np.array([3.0, 0.0, 1.0])), SCALE)


def loop(x_m: float, way_m: float) -> Loop:
    """Return a loop by a camera at a place on the x axis, after a way."""
    world_T_cam = motion(np.array([0.0, 0.2, 0.0]), np.array([x_m, 0.0, 0.0]))
    seen = SeenPose(se3.moved(TO_OLD, world_T_cam), np.eye(6), np.arange(50), np.zeros(50, np.int64), 50, 1.0)
    return Loop(1, 0, world_T_cam, seen, way_m, SCALE)


def turned(one: Loop, angle_rad: float) -> Loop:
    """Return a loop with the camera seen turned."""
    pose = one.seen.world_T_cam @ motion(np.array([0.0, angle_rad, 0.0]), np.zeros(3))
    return replace(one, seen=replace(one.seen, world_T_cam=pose))


def test_views_from_two_places_that_say_the_same_agree() -> None:
    assert loop(0.0, 1.0).agrees(loop(0.5, 1.5)) and loop(0.5, 1.5).agrees(loop(0.0, 1.0))


def test_what_is_wrong_from_one_place_is_not_confirmed_from_there() -> None:
    assert not loop(0.0, 1.0).agrees(loop(0.0, 1.0 + 0.9 * MIN_BASELINE_M))


def test_views_that_say_different_things_do_not_agree() -> None:
    assert not turned(loop(0.0, 1.0), 0.1).agrees(loop(0.5, 1.5))
