"""The base's pose and covariance from the camera's, and the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cl_localization.geometry import se3
from cl_localization.geometry.robot_pose import (
    FORWARD_BASE_T_CAM,
    PLANAR_VARIANCE,
    moved_covariance,
    planar,
    planar_covariance,
    robot_pose,
    upright_turns,
)
from core_makers import coordinates, motion, motions

SIGMAS = np.array([0.02, 0.01, 0.03, 0.004, 0.01, 0.006])


def random_covariance(seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(6, 6)) * SIGMAS[:, None]
    return root @ root.T


@given(motions(5), motions(2), st.integers(0, 99))
def test_the_covariance_of_a_moved_pose_is_that_of_moved_samples(world_T_a, a_T_b, seed):
    covariance, random = random_covariance(seed) * 1e-4, np.random.default_rng(seed)
    errors = random.multivariate_normal(np.zeros(6), covariance, 4000)
    world_T_b, samples = world_T_a @ a_T_b, np.tile(world_T_a, (len(errors), 1, 1))
    samples[:, :3, :3] = Rotation.from_rotvec(errors[:, 3:]).as_matrix() @ world_T_a[:3, :3]
    samples[:, :3, 3] += errors[:, :3]
    samples = samples @ a_T_b
    turns = Rotation.from_matrix(samples[:, :3, :3] @ world_T_b[:3, :3].T).as_rotvec()
    moved = np.column_stack([samples[:, :3, 3] - world_T_b[:3, 3], turns])
    expected = moved_covariance(covariance, world_T_a, a_T_b)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(np.cov(moved.T) - expected) / scale).max() < 0.15


@given(motions(5), motions(2))
def test_moving_there_and_back_leaves_the_covariance(world_T_a, a_T_b):
    covariance = random_covariance(3)
    there = moved_covariance(covariance, world_T_a, a_T_b)
    np.testing.assert_allclose(moved_covariance(there, world_T_a @ a_T_b, se3.inverse(a_T_b)), covariance, atol=1e-9)


def test_a_lever_turns_uncertain_heading_into_uncertain_position():
    covariance = np.diag([0, 0, 0, 0, 0, 0.01**2])
    moved = moved_covariance(covariance, np.eye(4), motion(np.zeros(3), np.array([2.0, 0, 0])))
    assert moved[1, 1] == pytest.approx(0.02**2) and moved[1, 5] == pytest.approx(2 * 0.01**2) and moved[0, 0] == 0


@given(coordinates(5), st.floats(-3, 3), st.floats(-0.4, 0.4), st.floats(-0.4, 0.4))
def test_a_planar_pose_keeps_place_and_heading_and_stands_upright(position_m, yaw, pitch, roll):
    tilted = np.eye(4)
    tilted[:3, :3], tilted[:3, 3] = Rotation.from_euler("ZYX", [yaw, pitch, roll]).as_matrix(), position_m
    flat = planar(tilted)
    np.testing.assert_allclose(flat[:3, 3], [*position_m[:2], 0])
    np.testing.assert_allclose(Rotation.from_matrix(flat[:3, :3]).as_euler("ZYX"), [yaw, 0, 0], atol=1e-9)


def test_a_planar_covariance_is_exact_off_the_plane_and_can_be_inverted():
    covariance = random_covariance(5)
    flat = planar_covariance(covariance)
    np.testing.assert_array_equal(flat[np.ix_([0, 1, 5], [0, 1, 5])], covariance[np.ix_([0, 1, 5], [0, 1, 5])])
    assert np.linalg.eigvalsh(flat)[0] > 0 and flat[2, 2] == PLANAR_VARIANCE and flat[2, 0] == flat[3, 5] == 0


@given(motions(5), motions(1), st.booleans())
def test_the_robot_is_where_its_camera_says(map_T_cam, base_T_cam, two_d):
    robot = robot_pose(map_T_cam, random_covariance(1), base_T_cam, two_d)
    map_T_base = map_T_cam @ se3.inverse(base_T_cam)
    np.testing.assert_allclose(robot.map_T_base, planar(map_T_base) if two_d else map_T_base, atol=1e-9)
    assert np.linalg.eigvalsh(robot.covariance)[0] > 0


def rolled(roll_deg: float, tilt_deg: float = 0.0) -> np.ndarray:
    """Return the pose (4, 4) on the robot of a camera that looks ahead, tilted down and then rolled clockwise."""
    tilt = motion(np.deg2rad([-tilt_deg, 0.0, 0.0]), np.zeros(3))
    return FORWARD_BASE_T_CAM @ tilt @ motion(np.deg2rad([0.0, 0.0, roll_deg]), np.zeros(3))


@pytest.mark.parametrize(("roll_deg", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3), (-90, 3), (30, 0), (-40, 0),
                                                 (60, 1), (140, 2), (359, 0)])
@pytest.mark.parametrize("tilt_deg", [-50.0, 0.0, 40.0])
def test_a_camera_that_is_rolled_clockwise_needs_as_many_turns_clockwise(roll_deg, turns, tilt_deg):
    assert upright_turns(rolled(roll_deg, tilt_deg)) == turns


@pytest.mark.parametrize("tilt_deg", [-90.0, 90.0, 80.0])
@pytest.mark.parametrize("roll_deg", [0, 90, 180])
def test_a_camera_that_looks_at_the_ceiling_or_the_floor_is_left_as_it_is(tilt_deg, roll_deg):
    assert upright_turns(rolled(roll_deg, tilt_deg)) == 0
