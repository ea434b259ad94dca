"""Corrections that move the robot in the map at bounded speed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cl_localization.config import SmoothingConfig
from cl_localization.geometry import se3
from cl_localization.geometry.smoothing import SmoothCorrection, between
from core_makers import motion, motions

CONFIG = SmoothingConfig(max_speed_m_s=0.5, max_turn_deg_s=30.0)


def smooth_at(map_T_base: np.ndarray, odom_T_base: np.ndarray) -> SmoothCorrection:
    smooth = SmoothCorrection()
    smooth.aim(map_T_base, odom_T_base, at_once=False)
    return smooth


@given(motions(50), motions(50))
def test_the_first_correction_is_taken_at_once(map_T_base, odom_T_base):
    smooth = smooth_at(map_T_base, odom_T_base)
    np.testing.assert_allclose(smooth.advance(0.0, CONFIG) @ odom_T_base, map_T_base, atol=1e-9)


@given(motions(50), motions(500), motions(3), st.floats(0, 2))
def test_the_robot_never_moves_faster_than_allowed_and_never_away_from_where_it_belongs(
    map_T_base, odom_T_base, change, seconds
):
    smooth, wanted = smooth_at(map_T_base, odom_T_base), map_T_base @ change
    before = se3.pose_error(map_T_base, wanted)
    assume(before[1] < 179)
    smooth.aim(wanted, odom_T_base, at_once=False)
    now = smooth.advance(seconds, CONFIG) @ odom_T_base
    moved, left = se3.pose_error(map_T_base, now), se3.pose_error(now, wanted)
    assert moved[0] <= 0.5 * seconds + 1e-6 and moved[1] <= 30 * seconds + 1e-4
    assert left[0] <= before[0] + 1e-6 and left[1] <= before[1] + 1e-4


def test_it_arrives_in_the_time_that_the_slower_of_the_bounds_allows():
    smooth = smooth_at(np.eye(4), np.eye(4))
    smooth.aim(motion(np.array([0, 0, np.deg2rad(15)]), np.array([0.1, 0, 0])), np.eye(4), at_once=False)
    for _ in range(9):
        smooth.advance(0.05, CONFIG)
    assert se3.pose_error(smooth.map_T_odom, np.eye(4)) == (pytest.approx(0.09), pytest.approx(13.5))
    smooth.advance(0.05, CONFIG)
    assert se3.pose_error(smooth.map_T_odom, np.eye(4)) == (pytest.approx(0.1), pytest.approx(15))


def test_time_that_goes_back_changes_nothing():
    smooth = smooth_at(np.eye(4), np.eye(4))
    np.testing.assert_array_equal(smooth.advance(-1.0, CONFIG), np.eye(4))
    smooth.aim(motion(np.zeros(3), np.array([1.0, 0, 0])), np.eye(4), at_once=False)
    np.testing.assert_array_equal(smooth.advance(-1.0, CONFIG), np.eye(4))


def test_a_jump_that_is_meant_is_taken_at_once_and_so_is_the_first_after_a_reset():
    smooth = smooth_at(np.eye(4), np.eye(4))
    far = motion(np.zeros(3), np.array([9.0, 0, 0]))
    smooth.aim(far, np.eye(4), at_once=True)
    np.testing.assert_array_equal(smooth.map_T_odom, far)
    smooth.reset()
    assert smooth.map_T_odom is None
    smooth.aim(np.eye(4), np.eye(4), at_once=False)
    np.testing.assert_array_equal(smooth.map_T_odom, np.eye(4))


@given(motions(5), motions(5))
def test_no_share_of_the_way_is_the_start_and_the_whole_is_the_end(world_T_a, world_T_b):
    np.testing.assert_allclose(between(world_T_a, world_T_b, 0.0), world_T_a, atol=1e-9)
    np.testing.assert_allclose(between(world_T_a, world_T_b, 1.0), world_T_b, atol=1e-6)
