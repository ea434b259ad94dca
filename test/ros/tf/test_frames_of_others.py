"""Frames that others name, and transforms that others own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from tf2_msgs.msg import TFMessage
from tf2_ros import TransformBroadcaster

from cl_localization.ros.conversions import time_message
from cl_localization.ros.nodes.localizer import LocalizerNode
from ros_robot import Robot
from ros_world import RosWorld


def of_the_map(messages: list[TFMessage]) -> set[str]:
    """The frames that the map is the parent of."""
    return {transform.child_frame_id for message in messages for transform in message.transforms
            if transform.header.frame_id == "map"}


def slashed(robot: Robot, frame: str) -> None:
    """Let the robot's images name their frame with a leading slash, or any other name."""
    convert = robot.outputs._convert

    def converted(image: Any) -> Any:
        message = convert(image)
        robot.outputs.image.publish = lambda sent, publish=type(robot.outputs.image).publish: (
            setattr(sent.header, "frame_id", frame), publish(robot.outputs.image, sent))
        return message
    robot.outputs._convert = converted


def test_the_leading_slash_of_an_image_s_frame_is_ignored(ros: RosWorld, robot: Robot, frames: list[Any],
                                                          room_map: Path) -> None:
    slashed(robot, "/camera_optical_frame")
    heard = ros.heard(TFMessage, "/tf", 100)
    ros.start(LocalizerNode, map_file=str(room_map))
    robot.show_until(frames, lambda: of_the_map(heard))
    assert of_the_map(heard) == {"odom"}


def test_a_camera_that_is_not_in_the_robot_s_tree_is_warned_of_with_names_like_it(
        ros: RosWorld, robot: Robot, frames: list[Any], room_map: Path) -> None:
    slashed(robot, "camera_optical")
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.2)
    robot.show_until(frames, lambda: any(
        "frame camera_optical of the images must be connected to base_link on tf" in status.message
        and "similar frames on tf: camera_optical_frame" in status.message
        for array in arrays for status in array.status))


def test_another_owner_of_map_to_odom_is_seen_and_named(ros: RosWorld, robot: Robot, frames: list[Any],
                                                        room_map: Path) -> None:
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    broadcaster = TransformBroadcaster(ros.node)
    ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.2)

    def seen() -> bool:
        transform = TransformStamped(child_frame_id="odom")
        transform.header.frame_id = "map"
        transform.header.stamp = time_message(ros.node.get_clock().now().nanoseconds)
        transform.transform.rotation.w = 1.0
        broadcaster.sendTransform(transform)
        return any("map -> odom comes from another node, too (one of " in status.message and "/test" in status.message
                   for array in arrays for status in array.status)
    robot.show_until(frames, seen)
