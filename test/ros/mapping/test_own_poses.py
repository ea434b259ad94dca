"""A mapper that finds its own poses, as other nodes see it: tf, poses, status, and a localizer beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")
pytest.importorskip("gtsam", reason="own poses need gtsam: pip install '.[slam]'")

from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Path
from std_srvs.srv import SetBool
from tf2_msgs.msg import TFMessage

from cl_localization.data import open_sequence
from cl_localization.evaluation.trajectory_error import aligned_errors_m
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.ros.conversions import matrix_of, stamp_ns
from cl_localization.ros.mapping import own_poses
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import Robot
from ros_world import WAIT_S, RosWorld


class Heard:
    """What the mapper says."""

    def __init__(self, ros: RosWorld, statuses: list[Any]) -> None:
        self.statuses = statuses
        self.poses = ros.heard(PoseWithCovarianceStamped, "/mapper/pose", 100)
        self._tf = ros.heard(TFMessage, "/tf", 100)

    def corrections(self, child: str) -> list[Any]:
        """Return the transforms of a frame in the map."""
        return [transform for message in self._tf for transform in message.transforms
                if transform.header.frame_id == "map" and transform.child_frame_id == child]

    def has(self, *own_poses: str) -> bool:
        """Return whether the newest status is one of some."""
        return bool(self.statuses) and self.statuses[-1].own_pose in own_poses


@pytest.fixture(scope="module")
def walk() -> list[Any]:
    """The way through the room in small steps, there and back: a camera without odometry must see most things twice."""
    there = list(open_sequence("sim:3?rooms=1&frames=120[:20]"))
    return [*there, *reversed(there)]


@pytest.fixture
def heard(ros: RosWorld, statuses: list[Any]) -> Heard:
    """What the mapper says."""
    return Heard(ros, statuses)


def start(ros: RosWorld, **parameters: Any) -> MapperNode:
    """Start a mapper with own poses."""
    return ros.start(MapperNode, "mapper", poses__source="self", **parameters)


def true_pose(robot: Robot, heard: Heard, stamp: Any, begin_T_cam: np.ndarray) -> np.ndarray:
    """Return the true pose (4, 4) of a camera in the map that began with a pose (4, 4)."""
    began = next(status for status in heard.statuses if status.own_pose == "began")
    first_T_cam = inverse(robot.shown[stamp_ns(began.header.stamp)].world_T_cam)
    return begin_T_cam @ first_T_cam @ robot.shown[stamp_ns(stamp)].world_T_cam


def test_a_robot_with_odometry_maps_and_gets_map_to_odom(ros, robot, room, frames, heard) -> None:
    start(ros)
    robot.show_each(frames, heard.statuses, lambda: heard.corrections("odom") and len(heard.poses) >= 8)
    for pose in heard.poses:
        truth = true_pose(robot, heard, pose.header.stamp, room.base_T_cam)
        assert pose_error(matrix_of(pose.pose.pose), truth)[0] < 0.05 and pose.header.frame_id == "map"
    last = [status for status in heard.statuses if status.is_posed][-1]  # the newest may be of an image without a pose
    assert last.codes > 500 and last.scene == "default"
    assert all(status.is_posed == (status.own_pose not in ("", "lost", "unconfirmed") and status.scene == "default")
               for status in heard.statuses)


def test_a_map_begins_with_an_image_whose_odometry_has_come(ros, room, frames, heard, monkeypatch) -> None:
    monkeypatch.setattr(own_poses, "ODOMETRY_GRACE_S", WAIT_S)  # longer than tf takes on a busy machine
    robot = Robot(ros, room)
    start(ros)
    without, with_odometry = replace(frames[0], odom_T_cam=None), frames[0]
    robot.show_until([without], lambda: any("how the robot moves" in status.reason for status in heard.statuses))
    robot.show_until_answered(with_odometry, heard.statuses)
    robot.show_until_answered(frames[1], heard.statuses)
    assert [status.own_pose for status in heard.statuses][-2:] == ["began", "tracking"]


def test_a_camera_alone_maps_and_gets_map_to_the_frame_above_it(ros, room, walk, heard) -> None:
    robot = Robot(ros, room, odometry=False, base_frame="cart")
    start(ros, frames__odom="")
    robot.show_each(walk, heard.statuses, lambda: len(heard.corrections("cart")) >= 5 and len(heard.poses) >= 5)
    first = matrix_of(heard.corrections("cart")[0].transform) @ room.base_T_cam
    assert np.allclose(first[:3, 2], [1, 0, 0], atol=0.2)  # the map begins where the camera looks ahead, z up
    assert "waiting for tf" in heard.statuses[0].reason and heard.statuses[0].keyframes == 0
    path = ros.heard(Path, "/mapper/path")
    robot.show_each(walk, heard.statuses, lambda: path and len(path[-1].poses) >= 5)


@pytest.mark.parametrize("odometry", [False, True])
def test_without_depth_a_camera_maps_up_to_scale_and_with_odometry_in_metres(ros, room, heard, odometry: bool) -> None:
    robot = Robot(ros, room, odometry=odometry, base_frame="cart")
    start(ros, frames__odom="odom" if odometry else "", frames__base="cart", depth_images="off")
    there = [replace(frame, depth_m=None) for frame in open_sequence("sim:3?rooms=1&frames=480[:24]")]
    robot.show_each([*there, *reversed(there)], heard.statuses,
          lambda: len(heard.poses) >= 16 and (odometry or heard.statuses[-1].health_warnings))
    assert any(status.own_pose == "starting" for status in heard.statuses)
    found_m = np.array([matrix_of(pose.pose.pose)[:3, 3] for pose in heard.poses])
    true_m = np.array([robot.shown[stamp_ns(pose.header.stamp)].world_T_cam[:3, 3] for pose in heard.poses])
    assert aligned_errors_m(found_m, true_m, with_scale=not odometry).max() < 0.05
    unknown = [warning for warning in heard.statuses[-1].health_warnings if "scale" in warning]
    assert bool(unknown) == (not odometry)


def test_a_localizer_beside_it_leaves_tf_to_the_mapper_while_that_is_active(ros, robot, frames, heard) -> None:
    localized = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    mapper = start(ros)
    localizer = ros.start(LocalizerNode, "localizer")
    robot.show_each(frames, heard.statuses, lambda: len(localized) >= 2 and heard.corrections("odom"))
    assert localizer._tracking._map_tf._sent_ns == 0
    mapper.trigger_deactivate()
    robot.show_until(frames, lambda: localizer._tracking._map_tf._sent_ns)


def test_a_covered_lens_stops_learning_until_the_place_is_recognised(ros, robot, walk, heard) -> None:
    start(ros)
    robot.show_each(walk, heard.statuses, lambda: heard.has("tracking"))
    dark = [replace(frame, image=np.zeros_like(frame.image)) for frame in walk]
    robot.show_each(dark, heard.statuses, lambda: heard.has("lost"))
    keyframes, poses = heard.statuses[-1].keyframes, len(heard.poses)
    count = len(heard.statuses)
    robot.show_each(dark, heard.statuses, lambda: len(heard.statuses) >= count + 3)
    assert heard.statuses[-1].keyframes == keyframes and len(heard.poses) == poses
    assert not heard.statuses[-1].is_posed
    robot.show_each(walk, heard.statuses, lambda: heard.has("tracking", "relocalized"))


def test_poses_go_on_while_learning_is_off(ros, robot, walk, heard) -> None:
    start(ros)
    robot.show_each(walk, heard.statuses, lambda: heard.has("tracking"))
    ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False))
    count, poses = len(heard.statuses) + 1, len(heard.poses)
    robot.show_each(walk, heard.statuses, lambda: len(heard.statuses) >= count + 4 and len(heard.poses) >= poses + 2)
    assert len({status.keyframes for status in heard.statuses[count:]}) == 1
