"""Paths that a SLAM corrected: keyframes and codes go where they belong, and nothing that makes no sense moves them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from cl_localization.msg import MappingStatus
from cl_localization.srv import SaveMap
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from rclpy.serialization import serialize_message
from std_srvs.srv import SetBool

from cl_localization.errors import RosError
from cl_localization.map.map_file import load_map
from cl_localization.ros.conversions import pose_message, time_message
from cl_localization.ros.mapping.pose_corrections import MAX_PATH_BYTES, PoseCorrections, path_poses
from cl_localization.ros.nodes.config import FramesConfig, PoseSourceConfig
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import Robot
from ros_world import RosWorld, wait_until

SHIFT = np.array([[0, -1, 0, 2.0], [1, 0, 0, -1.0], [0, 0, 1, 0.5], [0, 0, 0, 1]])


def path_of(stamps_ns: list[int], poses: list[np.ndarray], frame: str = "map") -> Path:
    path = Path()
    path.header.frame_id = frame
    for stamp_ns, pose in zip(stamps_ns, poses):
        stamped = PoseStamped(pose=pose_message(pose))
        stamped.header.stamp, stamped.header.frame_id = time_message(stamp_ns), frame
        path.poses.append(stamped)
    return path


def test_a_path_is_read_as_it_was_written() -> None:
    stamps, poses = path_poses(serialize_message(path_of([5, 3 * 10**9 + 7], [np.eye(4), SHIFT])), "map")
    assert stamps.tolist() == [5, 3 * 10**9 + 7]
    np.testing.assert_allclose(poses, [np.eye(4), SHIFT], atol=1e-12)
    assert path_poses(serialize_message(Path()), "map")[1].shape == (0, 4, 4)


def spoilt(name: str) -> bytes:
    """A path of two poses, the second of which makes no sense."""
    path = path_of([1, 2], [np.eye(4), SHIFT], "odom" if name == "frame" else "map")
    position, orientation, header = path.poses[1].pose.position, path.poses[1].pose.orientation, path.poses[1].header
    if name == "nan":
        position.x = math.nan
    if name == "far":
        position.y = -1e30
    if name == "zero":
        orientation.w = orientation.x = orientation.y = orientation.z = 0.0
    if name == "infinite":
        orientation.w = math.inf
    if name == "one frame":
        header.frame_id = "elsewhere"
    if name == "stamp":
        header.stamp.nanosec = 2**32 - 1
    content = serialize_message(path)
    return content[:-50] if name == "short" else content + bytes(MAX_PATH_BYTES) if name == "long" else content


@pytest.mark.parametrize("name, match", [
    ("nan", "positions must lie within 100000 m"), ("far", "positions must lie within"),
    ("zero", "orientations must be unit quaternions"),
    ("infinite", "orientations must be unit quaternions"), ("frame", "must be given in the frame map, found odom"),
    ("one frame", "must be given in the frame map, found elsewhere"),
    ("stamp", "stamps must have less than a second of nanoseconds"),
    ("short", "must be a readable nav_msgs/Path"), ("long", "must have at most 8000000 bytes")])
def test_a_path_that_makes_no_sense_is_refused_as_a_whole(name, match) -> None:
    with pytest.raises(RosError, match=f"corrected_path {match}"):
        path_poses(spoilt(name), "map")


class Corrected:
    """Corrections of poses of the base, on a robot whose tf is known, and what they said of camera poses."""

    BASE_T_CAM = np.array([[0, 0, 1, 0.6], [-1, 0, 0, 0], [0, -1, 0, 0.9], [0, 0, 0, 1.0]])

    def __init__(self) -> None:
        self.config = SimpleNamespace(frames=FramesConfig(), poses=PoseSourceConfig(source="pose", pose_of="base"))
        self.poses: list[np.ndarray] = []
        self.corrections = PoseCorrections(self, lambda task: task(), self.correct, self.lookup)

    def hear(self, kind: type, topic: str, take: Any, raw: bool) -> None:
        self.take = take

    def get_logger(self) -> Any:
        return SimpleNamespace(error=lambda *_, **__: None, info=lambda *_, **__: None)

    def correct(self, stamps_ns: np.ndarray, poses: np.ndarray) -> int:
        self.poses = list(poses)
        return len(poses)

    def lookup(self, target: str, source: str, stamp: Time) -> np.ndarray:
        return {("base_link", "camera"): self.BASE_T_CAM}[target, source]


def test_poses_of_the_base_are_those_of_the_camera_on_it_once_an_image_has_come() -> None:
    robot = Corrected()
    robot.take(serialize_message(path_of([1], [SHIFT])))
    assert "must come after the first image" in robot.corrections.problem and not robot.poses
    robot.corrections.observe("camera", Time(sec=1))
    robot.take(serialize_message(path_of([1], [SHIFT])))
    np.testing.assert_allclose(robot.poses, [SHIFT @ robot.BASE_T_CAM], atol=1e-9)


def test_what_is_wrong_with_a_path_is_said_until_a_good_one_comes() -> None:
    robot = Corrected()
    robot.corrections.observe("camera", Time(sec=1))
    robot.take(serialize_message(path_of([1], [SHIFT], "odom")))
    assert "must be given in the frame map, found odom" in robot.corrections.problem and not robot.poses
    robot.take(serialize_message(path_of([1], [SHIFT])))
    assert robot.corrections.problem == "" and len(robot.poses) == 1


@pytest.fixture
def learned(ros: RosWorld, room: Any, frames: list[Any], tmp_path, request) -> Any:
    """Returns the saved map anew at each call, of a mapper that has learned some keyframes and then stopped."""
    robot, statuses = Robot(ros, room), ros.heard(MappingStatus, "/mapper/status")
    robot.send_poses()
    ros.start(MapperNode, "mapper", poses__source="pose", map_file=str(tmp_path / "map.safetensors"),
              diagnostics_period_s=0.1)
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 3)
    assert ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False)).success

    def saved() -> Any:
        assert ros.call(SaveMap, "/mapper/save_map").success
        return load_map(tmp_path / "map.safetensors")
    return saved


def test_a_corrected_path_moves_the_map_once_and_a_bad_one_not_at_all(ros, learned) -> None:
    publisher, diagnostics = (
        ros.node.create_publisher(Path, "corrected_path", 1),
        ros.heard(DiagnosticArray, "/diagnostics"),
    )
    before = learned()
    stamps = before.keyframes["keyframe_stamps_ns"][before.keyframes.rows()].tolist()
    path = path_of(stamps, list(SHIFT @ before.keyframe_world_T_cam))
    wait_until(publisher.get_subscription_count)
    publisher.publish(path)
    wait_until(lambda: learned().version > before.version)
    after = learned()
    np.testing.assert_allclose(after.keyframe_world_T_cam, SHIFT @ before.keyframe_world_T_cam, atol=1e-6)
    np.testing.assert_allclose(after.positions_m, before.positions_m @ SHIFT[:3, :3].T + SHIFT[:3, 3], atol=1e-5)
    publisher.publish(path)
    path.header.frame_id = "odom"
    publisher.publish(path)
    wait_until(lambda: any("must be given in the frame map, found odom" in array.status[0].message
                           for array in diagnostics))
    assert learned().version == after.version
