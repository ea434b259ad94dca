"""Which frames are kept: those that differ from every kept one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.geometry.se3 import pose_error
from cl_localization.mapping.keyframe_policy import KeyframePolicy
from core_makers import motion, motions

POLICY = KeyframePolicy(min_translation_m=0.2, min_rotation_deg=10.0)
NONE = np.zeros((0, 4, 4))


def differs(first: np.ndarray, second: np.ndarray) -> bool:
    distance_m, angle_deg = pose_error(first, second)
    return distance_m >= 0.2 - 1e-9 or angle_deg >= 10.0 - 1e-6


@given(st.lists(motions(0.3), min_size=1, max_size=25))
def test_any_two_kept_frames_differ_and_every_other_is_like_a_kept_one(stream):
    kept = [stream[0]]
    for world_T_cam in stream[1:]:
        if POLICY.is_new_view(world_T_cam, np.array(kept)):
            kept.append(world_T_cam)
        else:
            assert not all(differs(world_T_cam, one) for one in kept)
    assert all(differs(one, other) for index, one in enumerate(kept) for other in kept[:index])


@given(motions())
def test_the_first_frame_is_kept_and_its_repetition_is_not(world_T_cam):
    assert POLICY.is_new_view(world_T_cam, NONE)
    assert not POLICY.is_new_view(world_T_cam, world_T_cam[None])


@pytest.mark.parametrize(("turn_deg", "move_m", "new"), [(9, 0.19, False), (11, 0.0, True), (0, 0.21, True),
                                                         (0, 0.0, False)])
def test_a_frame_is_new_when_it_is_moved_or_turned_enough(turn_deg, move_m, new):
    world_T_cam = motion(np.array([0, np.deg2rad(turn_deg), 0]), np.array([move_m, 0, 0]))
    assert POLICY.is_new_view(world_T_cam, np.eye(4)[None]) is new


def test_a_frame_may_be_like_any_of_those_that_are_kept():
    kept = np.array([motion(np.array([0, angle, 0]), np.zeros(3)) for angle in (0.0, 1.0, 2.0)])
    assert not POLICY.is_new_view(motion(np.array([0, 1.01, 0]), np.zeros(3)), kept)
    assert POLICY.is_new_view(motion(np.array([0, 1.5, 0]), np.zeros(3)), kept)


def test_with_zero_distance_every_frame_is_kept():
    assert KeyframePolicy(0.0, 10.0).is_new_view(np.eye(4), np.eye(4)[None])


def test_kept_frames_from_the_same_place_are_counted():
    kept = np.array([motion(np.zeros(3), np.array([x_m, 0, 0])) for x_m in (0.0, 0.1, 0.15, 0.5)])
    assert POLICY.same_views(np.eye(4), kept) == 3
    assert POLICY.same_views(motion(np.array([0, 0.5, 0]), np.zeros(3)), kept) == 0
    assert POLICY.same_views(np.eye(4), NONE) == 0
