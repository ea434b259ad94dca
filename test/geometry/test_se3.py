"""Rigid motions: inverses, quaternions, and what is refused from outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cl_localization.errors import GeometryError
from cl_localization.geometry import se3
from core_makers import coordinates, motion, motions

quaternions = st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(np.array)


@given(motions())
def test_a_motion_and_its_inverse_cancel(a_T_b):
    np.testing.assert_allclose(se3.inverse(a_T_b) @ a_T_b, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(se3.inverse(se3.inverse(a_T_b)), a_T_b, atol=1e-12)


@given(st.lists(motions(), min_size=1, max_size=5))
def test_a_batch_of_inverses_is_the_inverses_one_by_one(batch):
    stacked = np.array(batch)
    np.testing.assert_array_equal(se3.inverse(stacked), [se3.inverse(one) for one in batch])
    np.testing.assert_array_equal(se3.inverse(stacked[None])[0], se3.inverse(stacked))


@given(motions(), motions(), coordinates(10))
def test_moving_points_twice_is_moving_them_by_the_product(a_T_b, b_T_c, point):
    points_c = np.array([point, -point, np.zeros(3)])
    one_by_one = se3.transform(a_T_b, se3.transform(b_T_c, points_c))
    np.testing.assert_allclose(one_by_one, se3.transform(a_T_b @ b_T_c, points_c), atol=1e-9)


@given(motions())
def test_a_motion_survives_a_quaternion(a_T_b):
    position_m, quat_xyzw = se3.to_quaternion(a_T_b)
    assert np.linalg.norm(quat_xyzw) == pytest.approx(1.0)
    assert quat_xyzw[3] >= 0
    np.testing.assert_allclose(se3.from_quaternion(position_m, quat_xyzw), a_T_b, atol=1e-9)


@given(coordinates(5), quaternions, st.floats(0.01, 100))
def test_a_quaternion_counts_by_its_direction_only(position_m, quat_xyzw, factor):
    assume(np.linalg.norm(quat_xyzw) > 1e-2)
    a_T_b = se3.from_quaternion(position_m, quat_xyzw)
    np.testing.assert_allclose(se3.from_quaternion(position_m, factor * quat_xyzw), a_T_b, atol=1e-12)
    np.testing.assert_allclose(se3.from_quaternion(position_m, -quat_xyzw), a_T_b, atol=1e-12)


def test_quaternions_are_in_the_order_of_ros():
    quarter_about_z = se3.from_quaternion(np.zeros(3), [0, 0, np.sqrt(0.5), np.sqrt(0.5)])
    np.testing.assert_allclose(quarter_about_z[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)


def test_to_quaternion_does_not_share_memory_with_the_matrix():
    a_T_b = np.eye(4)
    position_m, _ = se3.to_quaternion(a_T_b)
    position_m[0] = 7.0
    assert a_T_b[0, 3] == 0.0


@pytest.mark.parametrize("bad", [[np.nan, 0, 0, 1], [0, np.inf, 0, 1]])
def test_a_quaternion_that_is_not_finite_is_refused(bad):
    with pytest.raises(GeometryError, match="pose must be finite"):
        se3.from_quaternion(np.zeros(3), bad)


def test_a_position_that_is_not_finite_is_refused():
    with pytest.raises(GeometryError, match="pose must be finite"):
        se3.from_quaternion([0, np.nan, 0], [0, 0, 0, 1])


def test_a_zero_quaternion_is_refused():
    with pytest.raises(GeometryError, match="quaternion must not be zero.*length one"):
        se3.from_quaternion(np.zeros(3), np.zeros(4))


@given(motions(), st.floats(-2e-4, 2e-4))
def test_a_matrix_rounded_by_a_text_file_becomes_orthonormal(a_T_b, error):
    rounded = a_T_b.copy()
    rounded[:3, :3] += error * np.arange(9).reshape(3, 3) / 9
    mended = se3.validated(rounded, "pose")
    np.testing.assert_allclose(mended[:3, :3].T @ mended[:3, :3], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(mended, rounded, atol=1e-3)
    np.testing.assert_array_equal(mended[:3, 3], rounded[:3, 3])


def test_validated_leaves_its_argument_alone():
    rounded = np.eye(4)
    rounded[0, 0] = 1.0002
    se3.validated(rounded, "pose")
    assert rounded[0, 0] == 1.0002


def changed(**entries: float) -> np.ndarray:
    """Return the identity with entries named rNN changed."""
    matrix = np.eye(4)
    for name, value in entries.items():
        matrix[int(name[1]), int(name[2])] = value
    return matrix


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.eye(3), r"frame 7 must be a 4x4 matrix, found shape \(3, 3\)"),
        (changed(r03=np.nan), "frame 7 must be finite.*give its pose"),
        (changed(r00=-np.inf), "must be finite"),
        (changed(r30=0.1), "must end in the row 0 0 0 1"),
        (changed(r33=2.0), "must end in the row 0 0 0 1"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "must hold a rotation.*remove scale"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "must hold a rotation.*det -1.*mirroring"),
        (np.diag([0.0, 0.0, 0.0, 1.0]), "must hold a rotation"),
        (changed(r01=0.01), "must hold a rotation"),
    ],
)
def test_what_is_no_motion_is_refused_by_name(matrix, match):
    with pytest.raises(GeometryError, match=match):
        se3.validated(matrix, "frame 7")


@given(coordinates(1), st.floats(0, 3.14))
def test_the_angle_of_a_rotation_is_the_length_of_its_vector(axis, angle_rad):
    assume(np.linalg.norm(axis) > 1e-2)
    rotation = se3.rotation_from_vector(angle_rad * axis / np.linalg.norm(axis))
    assert se3.rotation_angle_deg(rotation) == pytest.approx(np.rad2deg(angle_rad), abs=1e-5)


@given(coordinates(1))
def test_the_rotation_of_a_vector_is_that_of_scipy(vector):
    for rotation_vector in (vector, 1e-9 * vector, 1e3 * vector):
        assert np.allclose(se3.rotation_from_vector(rotation_vector), Rotation.from_rotvec(rotation_vector).as_matrix(),
                           atol=1e-12)


@pytest.mark.parametrize("angle_rad", [1e-7, 1.0, np.pi - 1e-7, np.pi])
def test_angles_are_exact_however_small_or_large(angle_rad):
    rotation = se3.rotation_from_vector(angle_rad * np.array([0.6, 0.0, 0.8]))
    assert se3.rotation_angle_deg(rotation) == pytest.approx(np.rad2deg(angle_rad), rel=1e-9)


def test_angles_keep_the_shape_of_their_batch():
    assert se3.rotation_angle_deg(np.broadcast_to(np.eye(3), (2, 5, 3, 3))).shape == (2, 5)
    assert se3.rotation_angle_deg(np.zeros((0, 3, 3))).shape == (0,)


def test_the_difference_of_poses_is_in_world_axes():
    world_T_b = motion(np.array([0.3, -1.0, 0.5]), np.array([1.0, 2.0, 3.0]))
    turn = np.array([0.01, -0.02, 0.03])
    world_T_a = motion(turn, np.zeros(3)) @ world_T_b
    world_T_a[:3, 3] = world_T_b[:3, 3] + [0.1, -0.2, 0.3]
    np.testing.assert_allclose(se3.difference(world_T_a, world_T_b), [0.1, -0.2, 0.3, *turn], atol=1e-12)


def test_a_pose_error_is_metres_and_degrees():
    world_T_a = motion(np.array([0, 0, 0.3]), np.array([1.0, 2.0, 3.0]))
    world_T_b = world_T_a @ motion(np.array([np.deg2rad(5), 0, 0]), np.array([0, 0.3, 0.4]))
    assert se3.pose_error(world_T_a, world_T_b) == pytest.approx((0.5, 5.0))
    assert se3.pose_error(world_T_b, world_T_a) == pytest.approx((0.5, 5.0))


@given(coordinates(10), coordinates(10))
def test_skew_is_the_cross_product(a, b):
    np.testing.assert_allclose(se3.skew(a) @ b, np.cross(a, b), atol=1e-9)
    np.testing.assert_allclose(se3.skew(np.array([a, b]))[1], se3.skew(b))


@given(motions(), motions(), st.floats(0.2, 5.0))
def test_a_similarity_moves_positions_and_turns_but_does_not_stretch_poses(a_T_b, b_T_cam, scale):
    found = se3.moved(se3.similarity(a_T_b, scale), b_T_cam)
    np.testing.assert_allclose(found[:3, :3], a_T_b[:3, :3] @ b_T_cam[:3, :3], atol=1e-9)
    np.testing.assert_allclose(found[:3, 3], a_T_b[:3, :3] @ (scale * b_T_cam[:3, 3]) + a_T_b[:3, 3], atol=1e-7)


def test_similarities_have_a_scale_each():
    similarities = se3.similarity(np.tile(np.eye(4), (2, 1, 1)), np.array([1.0, 2.0]))
    np.testing.assert_allclose(np.linalg.det(similarities), [1, 8])


def test_many_quaternions_are_each_of_them_by_itself():
    random = np.random.default_rng(0)
    motions_of = [se3.from_quaternion(random.normal(size=3), random.normal(size=4)) for _ in range(5)]
    poses = np.array([np.concatenate(se3.to_quaternion(one)) for one in motions_of])
    matrices = se3.from_quaternions(poses)
    np.testing.assert_allclose(matrices, motions_of, atol=1e-12)
    np.testing.assert_allclose(se3.to_quaternions(matrices), poses, atol=1e-12)
    assert se3.from_quaternions(np.zeros((0, 7))).shape == (0, 4, 4)
