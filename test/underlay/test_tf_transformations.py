"""The order of quaternions; runs against the underlay or the real tf_transformations, whichever is installed."""

import math

import numpy as np
import pytest

tf_transformations = pytest.importorskip("tf_transformations", reason="needs tf_transformations: run scripts/test")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402

ANGLES = st.tuples(st.floats(-3, 3), st.floats(-1.5, 1.5), st.floats(-3, 3))


def test_quaternions_are_x_y_z_w():
    quarter = math.sqrt(0.5)
    assert tf_transformations.quaternion_from_euler(0, 0, math.pi / 2) == pytest.approx((0, 0, quarter, quarter))
    matrix = tf_transformations.quaternion_matrix((0, 0, quarter, quarter))
    assert matrix[:3, 0] == pytest.approx((0, 1, 0)) and matrix.shape == (4, 4)


@given(ANGLES)
@settings(max_examples=50, deadline=None)
def test_all_forms_of_a_rotation_agree_with_scipy(angles):
    expected = Rotation.from_euler("xyz", angles)
    quaternion = tf_transformations.quaternion_from_euler(*angles)
    matrix = tf_transformations.quaternion_matrix(quaternion)
    assert matrix[:3, :3] == pytest.approx(expected.as_matrix(), abs=1e-9)
    assert tf_transformations.euler_matrix(*angles) == pytest.approx(matrix, abs=1e-9)
    assert tf_transformations.euler_from_quaternion(quaternion) == pytest.approx(angles, abs=1e-6)
    assert tf_transformations.euler_from_matrix(matrix) == pytest.approx(angles, abs=1e-6)
    again = tf_transformations.quaternion_from_matrix(matrix)
    assert abs(np.dot(again, quaternion)) == pytest.approx(1, abs=1e-9)


@given(ANGLES, ANGLES)
@settings(max_examples=50, deadline=None)
def test_a_product_turns_by_its_right_side_first_and_an_inverse_turns_back(first, second):
    one, two = (tf_transformations.quaternion_from_euler(*angles) for angles in (first, second))
    product = tf_transformations.quaternion_multiply(two, one)
    assert tf_transformations.quaternion_matrix(product) == pytest.approx(
        tf_transformations.quaternion_matrix(two) @ tf_transformations.quaternion_matrix(one), abs=1e-9)
    identity = tf_transformations.quaternion_multiply(tf_transformations.quaternion_inverse(one), one)
    assert abs(identity[3]) == pytest.approx(1)
