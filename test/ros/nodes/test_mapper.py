"""The mapper as other nodes see it: pose sources, services, files, faults."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.srv import LoadMap, SaveMap
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseArray, PoseStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2
from std_srvs.srv import SetBool, Trigger

from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.map.map_file import load_map
from cl_localization.mapper import Mapper
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import Robot
from ros_world import RosWorld, wait_until

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def start_mapper(ros: RosWorld, name: str = "mapper", **parameters: Any) -> MapperNode:
    """A mapper that hears the robot's true poses on the topic pose."""
    return ros.start(MapperNode, name, **{"poses__source": "pose", **parameters})


def with_true_odometry(frames: list[Any]) -> list[Any]:
    """Frames whose odometry does not drift, so that it can stand for the map."""
    return [replace(frame, odom_T_cam=frame.world_T_cam) for frame in frames]


def saved(ros: RosWorld, path: Path) -> Any:
    """The map that ~/save_map writes."""
    response = ros.call(SaveMap, "/mapper/save_map", SaveMap.Request(path=str(path)))
    assert response.success, response.message
    assert response.path == str(path) and response.bytes == path.stat().st_size
    return load_map(path)


def test_keyframes_are_learned_at_their_true_poses_from_a_pose_topic(ros, robot, statuses, frames, tmp_path) -> None:
    robot.send_poses()
    start_mapper(ros)
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 3)
    status = next(status for status in statuses if status.is_keyframe)
    assert status.inserted > 100 and status.learning and status.reason and status.duration_ms > 0
    assert status.map_bytes > 0 and status.budget_bytes == 64_000_000 and status.header.frame_id == "map"
    keyframes = saved(ros, tmp_path / "map.safetensors").keyframe_world_T_cam
    truths = [frame.world_T_cam for frame in robot.shown.values()]
    assert all(min(pose_error(keyframe, truth)[0] for truth in truths) < 1e-6 for keyframe in keyframes)


@pytest.mark.parametrize("parameters", [{"poses__source": "odometry"}, {"poses__source": "tf", "frames__map": "odom"}],
                         ids=lambda parameters: parameters["poses__source"])
def test_poses_come_from_odometry_or_tf_just_as_well(ros, robot, statuses, frames, tmp_path, parameters) -> None:
    start_mapper(ros, **parameters)
    robot.show_until(with_true_odometry(frames), lambda: statuses and statuses[-1].keyframes >= 2)
    keyframes = saved(ros, tmp_path / "map.safetensors").keyframe_world_T_cam
    truths = [frame.world_T_cam for frame in robot.shown.values()]
    assert all(min(pose_error(keyframe, truth)[0] for truth in truths) < 0.01 for keyframe in keyframes)


def test_a_tilde_in_the_names_of_files_is_the_home_of_the_user(ros, room_map, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(room_map, tmp_path / "a.safetensors")
    mapper = start_mapper(ros, map_file="~/a.safetensors")
    assert len(mapper._mapper.map_code) > 1000
    assert ros.call(SaveMap, "/mapper/save_map", SaveMap.Request(path="~/b.safetensors")).success
    assert ros.call(LoadMap, "/mapper/load_map", LoadMap.Request(path="~/b.safetensors")).success
    localizer = ros.start(LocalizerNode, map_topic__follow=False)
    assert ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path="~/b.safetensors")).success
    assert len(localizer._map.map_code) == len(mapper._mapper.map_code)


def test_an_image_without_a_pose_is_reported_and_survived(ros, robot, statuses, frames) -> None:
    start_mapper(ros, poses__source="tf", frames__tf_wait_s=0.02)
    robot.show_until([replace(frame, odom_T_cam=None) for frame in frames], lambda: statuses)
    assert "tf map -> camera_optical_frame must arrive within 0.02 s" in statuses[0].reason and statuses[0].codes == 0


def test_a_pose_that_is_no_rotation_is_left_out(ros, robot, statuses, frames) -> None:
    publisher = ros.node.create_publisher(PoseStamped, "pose", 10)
    start_mapper(ros, frames__tf_wait_s=0.02)
    bad = PoseStamped()
    bad.pose.orientation.w = 0.0
    wait_until(lambda: publisher.get_subscription_count())
    publisher.publish(bad)
    robot.show_until(frames, lambda: statuses)
    assert statuses[0].codes == 0


def test_a_map_that_its_images_contradict_is_warned_of_in_status_diagnostics_and_file(ros, room, robot, statuses,
                                                                                      tmp_path) -> None:
    diagnostics = ros.heard(DiagnosticArray, "/diagnostics")
    robot.send_poses()
    start_mapper(ros, diagnostics_period_s=0.2)
    of_camera_link = [replace(frame, world_T_cam=frame.world_T_cam @ inverse(FORWARD_BASE_T_CAM))
                      for frame in (room[index] for index in range(30))]
    robot.show_until(of_camera_link[:1], lambda: statuses)
    for frame in of_camera_link:  # one after the other, so that neighbours show the same
        mapped = statuses[-1].keyframes
        robot.show_until([frame], lambda mapped=mapped: statuses[-1].keyframes > mapped or frame is of_camera_link[0])
    assert "base_link or camera_link" in statuses[-1].health_warnings[0]
    assert statuses[-1].matches_agree_percent < 10
    wait_until(lambda: any("camera_link" in status.message for array in diagnostics for status in array.status))
    assert "camera_link" in saved(ros, tmp_path / "map.safetensors").health["warnings"][0]


def test_learning_can_be_switched_off_and_on(ros, robot, statuses, frames) -> None:
    robot.send_poses()
    start_mapper(ros, learning=False)
    robot.show_until(frames, lambda: len(statuses) >= 2)
    assert not statuses[-1].learning and statuses[-1].reason == "learning is off" and statuses[-1].codes == 0
    assert ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=True)).message == "learning"
    robot.show_until(frames, lambda: statuses[-1].codes)


def test_reset_begins_another_map_and_load_map_brings_one_back(ros, robot, statuses, frames, room_map,
                                                               tmp_path) -> None:
    robot.send_poses()
    start_mapper(ros)
    robot.show_until(frames, lambda: statuses and statuses[-1].codes)
    old = statuses[-1].map_id
    assert ros.call(Trigger, "/mapper/reset").success
    robot.show_until(frames, lambda: statuses[-1].map_id != old)
    loaded = ros.call(LoadMap, "/mapper/load_map", LoadMap.Request(path=str(room_map)))
    assert loaded.success and loaded.codes == len(load_map(room_map))
    robot.show_until(frames, lambda: statuses[-1].map_id != old and statuses[-1].codes >= loaded.codes)
    assert saved(ros, tmp_path / "map.safetensors").parent_id == load_map(room_map).map_id


def test_a_map_to_load_must_be_named(ros) -> None:
    start_mapper(ros)
    response = ros.call(LoadMap, "/mapper/load_map")
    assert not response.success and "path of the map must be given" in response.message


@pytest.mark.parametrize("path, match", [("", "path of the map must be given"),
                                         ("/dev/null/map", "map /dev/null/map must be writable")])
def test_a_map_that_cannot_be_saved_is_said_in_one_line_and_running_goes_on(ros, robot, statuses, frames, path,
                                                                            match) -> None:
    robot.send_poses()
    start_mapper(ros)
    response = ros.call(SaveMap, "/mapper/save_map", SaveMap.Request(path=path))
    assert not response.success and match in response.message and "\n" not in response.message
    robot.show_until(frames, lambda: statuses and statuses[-1].codes)


def test_a_map_is_refined_before_it_is_saved_but_not_while_more_is_learned(ros, tmp_path, monkeypatch) -> None:
    refined = []
    monkeypatch.setattr(Mapper, "finish", lambda mapper: refined.append(mapper))
    start_mapper(ros)
    saved(ros, tmp_path / "learning.safetensors")
    assert not refined
    ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False))
    saved(ros, tmp_path / "refined.safetensors")
    assert len(refined) == 1


def test_the_map_is_saved_at_the_end_and_resumed_at_the_start(ros, robot, statuses, frames, tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    robot.send_poses()
    mapper = start_mapper(ros, map_file=str(path), save_on_shutdown=True)
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 2)
    ros.end(mapper)
    kept = load_map(path)
    assert len(kept.keyframes) >= 2
    start_mapper(ros, map_file=str(path))
    robot.show_until(frames, lambda: statuses[-1].map_id != kept.map_id
                     and statuses[-1].keyframes > len(kept.keyframes))
    assert saved(ros, path).parent_id == kept.map_id


def test_the_map_is_saved_now_and_then_while_it_grows(ros, robot, statuses, frames, tmp_path) -> None:
    path = tmp_path / "map.safetensors"
    robot.send_poses()
    start_mapper(ros, map_file=str(path), autosave_period_s=0.2)
    robot.show_until(frames, lambda: path.is_file() and len(load_map(path)))


def test_points_and_keyframes_are_published_for_subscribers(ros, robot, statuses, frames) -> None:
    robot.send_poses()
    start_mapper(ros)
    robot.show_until(frames, lambda: statuses and statuses[-1].codes)
    clouds, poses = ros.heard(PointCloud2, "/mapper/codes", LATCHED), ros.heard(PoseArray, "/mapper/keyframes", LATCHED)
    robot.show_until(frames, lambda: clouds and poses)
    points = np.frombuffer(clouds[-1].data, np.float32).reshape(-1, 3)
    assert len(points) > 100 and np.isfinite(points).all() and len(poses[-1].poses) >= 1


def test_depth_is_waited_for_while_somebody_publishes_it_and_not_otherwise(ros, room, statuses, frames) -> None:
    robot = Robot(ros, room, depth=False)
    robot.send_poses()
    start_mapper(ros, "waiting", depth_images="on", diagnostics_period_s=0.1)
    diagnostics = ros.heard(DiagnosticArray, "/diagnostics")
    robot.show_until(frames, lambda: any("images arrive, but no" in array.status[0].message
                                         and "depth" in array.status[0].message
                                               for array in diagnostics))
    start_mapper(ros, depth_images="off")
    robot.show_until(frames, lambda: statuses)
