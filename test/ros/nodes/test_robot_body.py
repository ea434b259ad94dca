"""A robot that sees its own tray at the bottom of every image neither maps it nor localizes by it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from geometry_msgs.msg import PoseWithCovarianceStamped

from benchmarks.robot_body import BODY_FRAME, BODY_FROM, Body
from cl_localization.data import open_sequence
from cl_localization.geometry.se3 import pose_error
from cl_localization.ros import conversions
from cl_localization.ros.nodes.localizer import LocalizerNode
from ros_robot import STARVED_S, Robot, map_live
from ros_world import RosWorld, wait_until

ANOTHER_HOUSE = "sim:100?rooms=1&path=tracking&frames=15"


def with_tray(frames: list[Any]) -> list[Any]:
    """The frames with the same tray in the lower 30 % of each."""
    looks = open_sequence(BODY_FROM)[BODY_FRAME].image
    return [Body(0.3).before(frame, looks, 0) for frame in frames]


def test_the_same_tray_in_another_building_gives_no_pose(ros: RosWorld, robot: Robot, frames: list[Any]) -> None:
    known, elsewhere = with_tray(frames), with_tray(list(open_sequence(ANOTHER_HOUSE)))
    map_live(ros, robot, known)
    found = ros.heard(LocalizationStatus, "/localizer/status", 100)
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    localizer = ros.start(LocalizerNode)
    wait_until(lambda: localizer._map.map_code is not None, STARVED_S)
    robot.show_until(elsewhere, lambda: len(found) >= len(elsewhere), STARVED_S)
    assert poses == [] and "ok" not in {status.reason for status in found}

    robot.show_until(known, lambda: len(poses) >= 5, STARVED_S)
    truths = [robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam for message in poses]
    assert max(pose_error(conversions.matrix_of(message.pose.pose), truth)[0]
               for message, truth in zip(poses, truths)) < 0.1
