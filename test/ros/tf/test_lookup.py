"""Lookups that wait without blocking, and where the camera is on the robot with and without odometry."""

from __future__ import annotations

import math
import threading
from contextlib import ExitStack

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped

from cl_localization.errors import RosError
from cl_localization.ros.conversions import transform_message
from cl_localization.ros.nodes.config import FramesConfig
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import ODOMETRY_GRACE_S, RobotFrames, Tf, TfLookup
from cl_localization.ros.workers.worker import Worker
from ros_world import WAIT_S, RosWorld

BASE_T_CAM = np.array([[0, 0, 1, 0.1], [-1, 0, 0, 0], [0, -1, 0, 0.9], [0, 0, 0, 1.0]])
STAMP = Time(sec=100, nanosec=500_000_000)


def moved(x_m: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return matrix


def put(buffer: GuardedBuffer, parent: str, child: str, matrix: np.ndarray, sec: int | None = None) -> None:
    transform = TransformStamped(child_frame_id=child, transform=transform_message(matrix))
    transform.header.frame_id = parent
    if sec is None:
        buffer.set_transform_static(transform, "test")
    else:
        transform.header.stamp = Time(sec=sec)
        buffer.set_transform(transform, "test")


def robot(odometry: bool = True) -> GuardedBuffer:
    buffer = GuardedBuffer()
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
    with pytest.raises(RosError, match="tf odom -> base_link must arrive within 0.02 s of its image"):
        TfLookup(robot(odometry=False), 0.02).at("odom", "base_link", STAMP)


def test_a_stopped_lookup_does_not_wait() -> None:
    lookup = TfLookup(robot(odometry=False), 1000)
    lookup.stop()
    with pytest.raises(RosError, match="tf odom"):
        lookup.at("odom", "base_link", STAMP)


def test_a_waiting_lookup_ends_when_the_node_is_deactivated_and_waits_again_when_it_is_activated(ros: RosWorld) -> None:
    tf, errors, in_time = Tf(ros.node, FramesConfig(tf_wait_s=5.0)), [], []
    for _ in range(2):
        active, waiting = ExitStack(), threading.Event()
        worker = Worker(lambda item: (waiting.set(), tf.lookup.at("odom", "base_link", STAMP)), errors.append)
        active.callback(lambda: in_time.append(worker.stop(2.0)))
        tf.wait_while(active)
        worker.offer(0)
        assert waiting.wait(WAIT_S) and not errors[len(in_time):]
        active.close()
    assert in_time == [True, True] and all("tf odom -> base_link" in str(error) for error in errors)
    tf.close()


def test_with_odometry_the_child_frame_is_odom() -> None:
    mounting = RobotFrames(FramesConfig(), TfLookup(robot(), 0)).at("camera", STAMP)
    assert (mounting.child_frame, mounting.problem) == ("odom", None)
    np.testing.assert_allclose(mounting.odom_T_cam, moved(1.5) @ BASE_T_CAM, atol=1e-9)
    np.testing.assert_allclose(mounting.base_T_cam, BASE_T_CAM, atol=1e-9)


def test_a_camera_that_tf_does_not_know_yet_gets_no_parent_before_the_grace_time() -> None:
    """Its driver may name its mount a moment later: the camera would have two parents."""
    buffer = GuardedBuffer()
    frames = RobotFrames(FramesConfig(odom=""), TfLookup(buffer, 0), lambda: 0.0)
    assert frames.at("camera", STAMP).child_frame == ""
    put(buffer, "cart", "camera", BASE_T_CAM)
    assert frames.at("camera", STAMP).child_frame == "cart"


def test_without_odometry_the_child_frame_is_the_base_after_the_grace_time() -> None:
    now_s = [0.0]
    frames = RobotFrames(FramesConfig(), TfLookup(robot(odometry=False), 0), lambda: now_s[0])
    assert frames.at("camera", STAMP).child_frame == ""
    now_s[0] = ODOMETRY_GRACE_S + 0.1
    mounting = frames.at("camera", STAMP)
    assert (mounting.child_frame, mounting.odom_T_cam, mounting.problem) == ("base_link", None, None)


def test_a_robot_without_odometry_frame_gets_map_to_base_at_once() -> None:
    assert (
        RobotFrames(FramesConfig(odom=""), TfLookup(robot(odometry=False), 0)).at("camera", STAMP).child_frame
        == "base_link"
    )


def test_a_camera_alone_gets_map_to_camera_after_the_grace_time() -> None:
    now_s = [0.0]
    frames = RobotFrames(FramesConfig(odom=""), TfLookup(GuardedBuffer(), 0), lambda: now_s[0])
    now_s[0] = ODOMETRY_GRACE_S + 0.1
    mounting = frames.at("camera", STAMP)
    assert (mounting.child_frame, mounting.base_T_cam) == ("camera", None)


@pytest.mark.parametrize("name", ["", "map", "odom"])
def test_an_invalid_camera_frame_gets_no_transform(name: str) -> None:
    mounting = RobotFrames(FramesConfig(), TfLookup(robot(), 0), lambda: 0.0).at(name, STAMP)
    assert (mounting.child_frame, mounting.odom_T_cam, mounting.base_T_cam) == ("", None, None)
    assert "frame_id of the image must name the camera's frame" in str(mounting.problem)


def test_odometry_once_seen_is_not_given_up_when_it_stops_and_is_not_waited_for_then() -> None:
    frames = RobotFrames(FramesConfig(), TfLookup(robot(), 1000))
    assert frames.at("camera", STAMP).odom_T_cam is not None
    mounting = frames.at("camera", Time(sec=200))
    assert (mounting.child_frame, mounting.odom_T_cam) == ("odom", None)
    assert "tf odom -> camera" in str(mounting.problem)
    np.testing.assert_allclose(mounting.base_T_cam, BASE_T_CAM, atol=1e-9)
    assert frames.at("camera", STAMP).odom_T_cam is not None


def test_odometry_that_runs_is_waited_for_also_after_it_was_missing() -> None:
    buffer = robot()
    frames = RobotFrames(FramesConfig(), TfLookup(buffer, 0.02))
    late = Time(sec=101, nanosec=500_000_000)
    assert frames.at("camera", late).problem is not None and frames.at("camera", Time(sec=300)).problem is not None
    timer = threading.Timer(0.005, put, (buffer, "odom", "base_link", moved(3.0), 102))
    frames = RobotFrames(FramesConfig(), TfLookup(buffer, 5))
    timer.start()
    np.testing.assert_allclose(frames.at("camera", late).odom_T_cam, moved(2.5) @ BASE_T_CAM, atol=1e-9)
    timer.join()


def test_how_far_behind_a_transform_is() -> None:
    lookup = TfLookup(robot(), 0)
    assert (
        lookup.behind_s("odom", "camera", Time(sec=103)) == 2.0 and lookup.behind_s("odom", "nobody", STAMP) == math.inf
    )


def test_odometry_off_the_earth_is_refused() -> None:
    buffer = robot(odometry=False)
    put(buffer, "odom", "base_link", moved(1e9), 100)
    put(buffer, "odom", "base_link", moved(1e9), 101)
    mounting = RobotFrames(FramesConfig(), TfLookup(buffer, 0)).at("camera", STAMP)
    assert mounting.odom_T_cam is None and "tf of the camera must lie within 1e+06 m" in str(mounting.problem)


def test_a_mounting_that_is_late_leaves_out_the_base_of_that_image() -> None:
    buffer = GuardedBuffer()
    put(buffer, "base_link", "camera", BASE_T_CAM, 100)
    assert RobotFrames(FramesConfig(odom=""), TfLookup(buffer, 0)).at("camera", STAMP).base_T_cam is None


def test_the_leading_slash_of_old_tf_is_ignored() -> None:
    buffer = GuardedBuffer()
    put(buffer, "/base_link", "/camera", BASE_T_CAM)
    frames = RobotFrames(FramesConfig(odom="", base="/base_link", map="/map"), TfLookup(buffer, 0))
    mounting = frames.at("camera", STAMP)
    assert (mounting.child_frame, mounting.problem) == ("base_link", None)


def test_a_frame_that_has_a_parent_gets_no_second_one() -> None:
    buffer = robot(odometry=False)
    put(buffer, "wheel_odom", "base_link", moved(1.0), 100)
    mounting = RobotFrames(FramesConfig(odom=""), TfLookup(buffer, 0)).at("camera", STAMP)
    assert mounting.child_frame == ""
    assert str(mounting.problem).startswith("tf frame base_link must have no parent but map, found wheel_odom; set "
                                            "frames.odom to wheel_odom if that is the frame of the odometry")


def test_a_camera_with_a_body_of_its_own_gets_map_to_the_body() -> None:
    buffer = GuardedBuffer()
    put(buffer, "camera_link", "camera", BASE_T_CAM)
    mounting = RobotFrames(FramesConfig(odom=""), TfLookup(buffer, 0)).at("camera", STAMP)
    assert (mounting.child_frame, mounting.base_T_cam, mounting.problem) == ("camera_link", None, None)
    np.testing.assert_allclose(mounting.cam_T_child @ BASE_T_CAM, np.eye(4), atol=1e-9)


def test_a_camera_apart_from_the_robot_is_named_with_frames_like_it() -> None:
    now_s = [0.0]
    frames = RobotFrames(FramesConfig(), TfLookup(robot(), 0), lambda: now_s[0])
    now_s[0] = ODOMETRY_GRACE_S + 0.1
    mounting = frames.at("camera_rgb", STAMP)
    assert mounting.child_frame == "camera_rgb"
    assert str(mounting.problem).startswith(
        "frame camera_rgb of the images must be connected to base_link on tf; publish the camera's mounting, or set "
        "frames.camera; similar frames on tf: camera, ")


def test_a_camera_s_body_in_place_of_its_optical_frame_is_suspected() -> None:
    buffer = robot()
    put(buffer, "base_link", "body", moved(0.2))
    mounting = RobotFrames(FramesConfig(), TfLookup(buffer, 0)).at("body", STAMP)
    assert mounting.child_frame == "odom" and "frame body of the images must be the optical frame" in str(
        mounting.problem)
    put(buffer, "base_link", "ceiling_optical", moved(0.2))
    assert RobotFrames(FramesConfig(), TfLookup(buffer, 0)).at("ceiling_optical", STAMP).problem is None
