"""Lookups that wait without blocking, and what is sent for a pose with and without odometry."""

from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from tf2_ros import Buffer

from cl_localization.errors import RosError
from cl_localization.geometry.se3 import inverse
from cl_localization.ros.conversions import matrix_of, transform_message
from cl_localization.ros.node_config import FramesConfig
from cl_localization.ros.tf import ODOMETRY_GRACE_S, MapTransform, TfLookup

BASE_T_CAM = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0.9], [0, 0, 0, 1.0]])
MAP_T_CAM = np.array([[0, 1, 0, 3], [-1, 0, 0, 2], [0, 0, 1, 0.9], [0, 0, 0, 1.0]])
STAMP = Time(sec=100, nanosec=500_000_000)


def moved(x_m: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return matrix


def put(buffer: Buffer, parent: str, child: str, matrix: np.ndarray, sec: int | None = None) -> None:
    transform = TransformStamped(child_frame_id=child, transform=transform_message(matrix))
    transform.header.frame_id = parent
    if sec is None:
        buffer.set_transform_static(transform, "test")
    else:
        transform.header.stamp = Time(sec=sec)
        buffer.set_transform(transform, "test")


def robot(odometry: bool = True) -> Buffer:
    buffer = Buffer()
    put(buffer, "base_link", "camera", BASE_T_CAM)
    if odometry:
        put(buffer, "odom", "base_link", moved(1.0), 100)
        put(buffer, "odom", "base_link", moved(2.0), 101)
    return buffer


def test_a_transform_is_interpolated_to_the_stamp() -> None:
    np.testing.assert_allclose(TfLookup(robot(), 0).at("odom", "camera", STAMP), moved(1.5) @ BASE_T_CAM, atol=1e-9)


def test_a_lookup_waits_for_a_transform_that_comes_after_its_image() -> None:
    buffer = robot(odometry=False)
    put(buffer, "odom", "base_link", moved(1.0), 100)
    late = threading.Timer(0.05, put, (buffer, "odom", "base_link", moved(2.0), 101))
    late.start()
    np.testing.assert_allclose(TfLookup(buffer, 5).at("odom", "base_link", STAMP), moved(1.5), atol=1e-9)
    late.join()


def test_a_lookup_gives_up_at_its_deadline_with_what_tf_says() -> None:
    with pytest.raises(RosError, match="tf odom -> base_link must be there within 0.02 s of its image"):
        TfLookup(robot(odometry=False), 0.02).at("odom", "base_link", STAMP)


def test_a_stopped_lookup_does_not_wait() -> None:
    lookup = TfLookup(robot(odometry=False), 1000)
    lookup.stop()
    with pytest.raises(RosError, match="tf odom"):
        lookup.at("odom", "base_link", STAMP)


def test_with_odometry_the_map_carries_odom_so_that_the_camera_is_where_it_was_seen() -> None:
    sent = MapTransform(FramesConfig(), TfLookup(robot(), 0)).of(MAP_T_CAM, "camera", STAMP)
    assert (sent.header.frame_id, sent.child_frame_id, sent.header.stamp) == ("map", "odom", STAMP)
    np.testing.assert_allclose(matrix_of(sent.transform) @ moved(1.5) @ BASE_T_CAM, MAP_T_CAM, atol=1e-9)


def test_without_odometry_the_map_carries_the_base_once_the_grace_is_over() -> None:
    now_s = [0.0]
    transform = MapTransform(FramesConfig(), TfLookup(robot(odometry=False), 0), lambda: now_s[0])
    assert transform.of(MAP_T_CAM, "camera", STAMP) is None
    now_s[0] = ODOMETRY_GRACE_S + 0.1
    sent = transform.of(MAP_T_CAM, "camera", STAMP)
    assert sent.child_frame_id == "base_link"
    np.testing.assert_allclose(matrix_of(sent.transform), MAP_T_CAM @ inverse(BASE_T_CAM), atol=1e-9)


def test_a_robot_said_to_have_no_odometry_is_carried_at_once() -> None:
    sent = MapTransform(FramesConfig(odom=""), TfLookup(robot(odometry=False), 0)).of(MAP_T_CAM, "camera", STAMP)
    assert sent.child_frame_id == "base_link"


def test_a_camera_alone_is_carried_itself() -> None:
    sent = MapTransform(FramesConfig(odom=""), TfLookup(Buffer(), 0)).of(MAP_T_CAM, "camera", STAMP)
    assert sent.child_frame_id == "camera"
    np.testing.assert_allclose(matrix_of(sent.transform), MAP_T_CAM, atol=1e-9)


def test_odometry_once_seen_is_not_given_up_when_it_stops() -> None:
    buffer = robot()
    transform = MapTransform(FramesConfig(), TfLookup(buffer, 0))
    assert transform.of(MAP_T_CAM, "camera", STAMP).child_frame_id == "odom"
    with pytest.raises(RosError, match="tf odom -> camera"):
        transform.of(MAP_T_CAM, "camera", Time(sec=200))


def test_the_base_is_where_the_mounting_says_and_the_camera_stands_in_for_it() -> None:
    lookup = TfLookup(robot(), 0)
    transform = MapTransform(FramesConfig(), lookup)
    np.testing.assert_allclose(transform.map_T_base(MAP_T_CAM, "camera", STAMP), MAP_T_CAM @ inverse(BASE_T_CAM), atol=1e-9)
    np.testing.assert_array_equal(transform.map_T_base(MAP_T_CAM, "unknown", STAMP), MAP_T_CAM)
