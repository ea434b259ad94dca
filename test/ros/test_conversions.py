"""Arrays to messages and back, and poses that make no sense."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Transform
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import PointCloud2

from cl_localization.data.message_camera import camera_of
from cl_localization.data.message_depth import depth_of
from cl_localization.data.message_images import rgb_of
from cl_localization.errors import RosError
from cl_localization.geometry.camera import Camera
from cl_localization.ros import conversions

GRADIENT = np.stack([*np.meshgrid(np.arange(0, 240, 4), np.arange(0, 160, 4)), np.full((40, 60), 90)],
                    axis=2).astype(np.uint8)


def over_the_wire(message):
    """The message as another process gets it."""
    return deserialize_message(serialize_message(message), type(message))


@given(st.integers(-2**60, 2**60))
def test_stamps_come_back_to_the_nanosecond(nanoseconds: int) -> None:
    assert conversions.stamp_ns(over_the_wire(conversions.time_message(nanoseconds))) == nanoseconds


def test_a_stamp_beyond_32_bit_seconds_is_refused() -> None:
    with pytest.raises(RosError, match="stamp must fit 32-bit seconds"):
        conversions.time_message(2**31 * 10**9)


def test_an_rgb_image_comes_back() -> None:
    np.testing.assert_array_equal(rgb_of(over_the_wire(conversions.image_message(GRADIENT)), "image"), GRADIENT)


def test_a_compressed_image_comes_back_nearly() -> None:
    message = over_the_wire(conversions.compressed_message(GRADIENT))
    assert np.abs(rgb_of(message, "image").astype(int) - GRADIENT).mean() < 3


def test_depth_in_metres_keeps_only_positive_finite_values() -> None:
    depth_m = np.array([[np.nan, np.inf], [-1, 2.5]], np.float32)
    found = depth_of(over_the_wire(conversions.depth_message(depth_m)), "depth")
    np.testing.assert_array_equal(found, np.array([[0, 0], [0, 2.5]], np.float32))
    assert found.dtype == np.float32


@pytest.mark.parametrize("camera", [
    Camera(640, 480, 525, 526, 320.5, 240.25), Camera(64, 48, 50, 51, 32, 24, "plumb_bob",
                                                      (0.1, -0.2, 0.001, 0.002, 0.05)),
    Camera(64, 48, 50, 51, 32, 24, "equidistant", (0.1, -0.2, 0.001, 0.002)),
    Camera(64, 48, 50, 51, 32, 24, "rational_polynomial", (0.1, -0.2, 0.001, 0.002, 0.05, 0.1, 0.1, 0.1))])
def test_a_camera_comes_back(camera: Camera) -> None:
    assert camera_of(over_the_wire(conversions.camera_info_message(camera)), "camera_info") == camera


@given(st.lists(st.floats(-1000, 1000), min_size=3, max_size=3), st.integers(0, 10**6))
def test_poses_and_transforms_come_back(position_m: list[float], seed: int) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.random(rng=np.random.default_rng(seed)).as_matrix(), position_m
    for message in (conversions.pose_message(matrix), conversions.transform_message(matrix)):
        np.testing.assert_allclose(conversions.matrix_of(over_the_wire(message)), matrix, atol=1e-12)


@pytest.mark.parametrize("kind", [Pose, Transform])
def test_a_pose_of_nan_or_without_rotation_is_refused(kind: type) -> None:
    message = kind()
    quaternion = message.orientation if kind is Pose else message.rotation
    quaternion.w = 0.0
    with pytest.raises(RosError, match="quaternion must have length one"):
        conversions.matrix_of(message)
    quaternion.w = math.nan
    with pytest.raises(RosError, match="pose must be finite"):
        conversions.matrix_of(message)


def test_a_covariance_keeps_its_order() -> None:
    covariance = np.arange(36.0).reshape(6, 6)
    message = over_the_wire(conversions.pose_with_covariance(np.eye(4), covariance))
    np.testing.assert_array_equal(message.covariance, covariance.ravel())
    assert message.pose.orientation.w == 1.0


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_points_come_back_from_a_cloud(count: int) -> None:
    points_m = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    cloud = over_the_wire(conversions.cloud_message(points_m))
    assert isinstance(cloud, PointCloud2) and [field.name for field in cloud.fields] == ["x", "y", "z"]
    np.testing.assert_array_equal(np.frombuffer(cloud.data, np.float32).reshape(-1, 3), points_m)
    assert (cloud.width, cloud.row_step) == (count, 12 * count)


@pytest.mark.parametrize(("given_name", "name"), [("/cam", "cam"), ("cam", "cam"), ("robot/cam", "robot/cam"),
                                                  ("", "")])
def test_a_leading_slash_is_no_part_of_a_frame_s_name(given_name: str, name: str) -> None:
    assert conversions.plain(given_name) == name


def test_times_are_plain_integers() -> None:
    stamp = conversions.time_message(np.int64(1_500_000_000))
    assert stamp == Time(sec=1, nanosec=500_000_000)
