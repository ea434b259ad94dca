"""Cameras that are rolled by quarter turns against each other: both nodes turn their images upright by the mounting on
tf."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import PoseWithCovarianceStamped

from cl_localization.data import open_sequence
from cl_localization.geometry.se3 import pose_error
from cl_localization.ros import conversions
from cl_localization.ros.nodes.localizer import LocalizerNode
from ros_robot import SPEC, STARVED_S, Robot, map_live
from ros_world import RosWorld

MAPPED_DEG, OTHERS_DEG = 90, (0, 180, 270)
FOUND_M = 0.1


def rolled(ros: RosWorld, roll_deg: int) -> tuple[Robot, list[Any]]:
    """A robot whose camera, with a frame of its own on tf, is rolled clockwise, and what it sees."""
    sequence = open_sequence(f"{SPEC}&roll={roll_deg}")
    robot = Robot(ros, sequence, camera_frame=f"camera_{roll_deg}_optical_frame")
    return robot, [sequence[index] for index in range(0, len(sequence), 4)]


def test_a_camera_of_any_roll_finds_itself_in_the_map_of_a_rolled_one(ros: RosWorld) -> None:
    map_live(ros, *rolled(ros, MAPPED_DEG))
    for roll_deg in OTHERS_DEG:
        robot, frames = rolled(ros, roll_deg)
        localizer = ros.start(LocalizerNode)
        poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
        robot.show_until(frames, lambda: len(poses) >= 5, STARVED_S)
        ros.end(localizer)
        truths = [robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam for message in poses]
        assert max(pose_error(conversions.matrix_of(message.pose.pose), truth)[0]
                   for message, truth in zip(poses, truths)) < FOUND_M, roll_deg
