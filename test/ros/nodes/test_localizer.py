"""The localizer as other nodes see it: topics, tf, services, parameters, faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus, PlaceMatch
from cl_localization.srv import LoadMap
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Path as PathMessage
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from cl_localization.map.map_file import load_map, save_map
from cl_localization.ros import conversions
from cl_localization.ros.nodes.localizer import LocalizerNode
from ros_robot import Robot, save_map_of
from ros_world import RosWorld, wait_until

LOST, RELOCALIZED, TRACKING = LocalizationStatus.LOST, LocalizationStatus.RELOCALIZED, LocalizationStatus.TRACKING


@pytest.fixture
def localizer(ros: RosWorld, room_map: Path) -> LocalizerNode:
    """A localizer with the map of the room."""
    return ros.start(LocalizerNode, map_file=str(room_map))


def test_a_pose_with_covariance_comes_for_an_image_of_the_mapped_room(ros, robot, localizer, frames) -> None:
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    robot.show_until(frames, lambda: len(poses) >= 3)
    for message in poses:
        truth = robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam
        distance_m, angle_deg = pose_error(conversions.matrix_of(message.pose.pose), truth)
        assert distance_m < 0.1 and angle_deg < 5
        covariance = message.pose.covariance.reshape(6, 6)
        assert (np.linalg.eigvalsh(covariance) > 0).all() and message.header.frame_id == "map"


def test_tf_carries_odom_so_that_the_chain_to_the_camera_gives_the_pose(ros, robot, localizer, frames, room) -> None:
    transforms, poses = ros.heard(TFMessage, "/tf", 100), ros.heard(PoseWithCovarianceStamped, "/localizer/pose")

    def matched() -> list:
        sent = {conversions.stamp_ns(t.header.stamp): t for m in transforms for t in m.transforms
                if t.header.frame_id == "map"}
        return [(sent[stamp], pose, robot.shown[stamp]) for pose in poses
                if (stamp := conversions.stamp_ns(pose.header.stamp)) in sent]

    transform, pose, frame = robot.show_until(frames, matched)[0]
    assert transform.child_frame_id == "odom"
    np.testing.assert_allclose(conversions.matrix_of(transform.transform) @ frame.odom_T_cam,
                               conversions.matrix_of(pose.pose.pose), atol=1e-6)


def test_status_place_and_path_tell_the_same_story(ros, robot, localizer, frames) -> None:
    statuses, places = ros.heard(LocalizationStatus, "/localizer/status"), ros.heard(PlaceMatch, "/localizer/place")
    paths = ros.heard(PathMessage, "/localizer/path")
    robot.show_until(frames, lambda: (sum(place.accepted for place in places) >= 2 and len(paths) >= 2
                                      and any(status.state == TRACKING for status in statuses)))
    accepted = [status for status in statuses if status.reason == "ok"]
    assert accepted[0].state == RELOCALIZED  # and until another full localization confirms it
    status = accepted[0]
    assert min(status.inliers, status.matches) >= 30 and status.codes > 1000
    assert status.keypoints >= max(status.inliers, status.matches)
    assert 0 < status.inlier_ratio <= 1 and status.latency_ms > 0 and status.scene == "default"
    assert {place.scene for place in places} == {"default"} and max(place.score for place in places) > 0.5
    assert len(paths[-1].poses) >= 2


def test_inliers_and_overlay_are_published_for_subscribers(ros, robot, localizer, frames) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    robot.show_until(frames, lambda: any(status.inliers for status in statuses))
    clouds, overlays = ros.heard(PointCloud2, "/localizer/inliers"), ros.heard(Image, "/localizer/overlay")
    robot.show_until(frames, lambda: clouds and overlays)
    assert clouds[0].width >= 30 and clouds[0].header.frame_id == "map"
    assert (overlays[0].width, overlays[0].height, overlays[0].encoding) == (320, 240, "rgb8")


def test_an_unknown_place_is_lost_with_a_reason_and_nothing_reaches_tf(ros, robot, localizer, frames) -> None:
    random = np.random.default_rng(1)
    noise = replace(frames[0], image=random.integers(0, 255, frames[0].image.shape, np.uint8).astype(np.uint8))
    statuses, transforms = ros.heard(LocalizationStatus, "/localizer/status"), ros.heard(TFMessage, "/tf", 100)
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    robot.show_until([noise], lambda: len(statuses) >= 3)
    assert {status.state for status in statuses} == {LOST} and all(status.reason not in ("", "ok")
                                                                   for status in statuses)
    assert poses == [] and not [t for m in transforms for t in m.transforms if t.header.frame_id == "map"]


def test_an_image_of_another_size_and_a_camera_without_calibration_are_reported_and_survived(
    ros, robot, localizer, frames
) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    half = Camera(160, 120, 100, 100, 80, 60)

    def show(info: CameraInfo) -> None:
        header = Header(stamp=conversions.time_message(robot.show(frames[0]) + 50_000_000),
                        frame_id="camera_optical_frame")
        image = conversions.image_message(frames[0].image)
        image.header = info.header = header
        robot.outputs._info.publish(info)
        robot.outputs.image.publish(image)

    for info, reason in ((conversions.camera_info_message(half), "must have the camera's size 160x120"),
                         (CameraInfo(width=320, height=240), "camera_info must hold a calibration")):
        wait_until(lambda: show(info) or any(reason in status.reason for status in statuses))
    before = len(statuses)
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses[before:]))


def test_without_a_map_it_says_so_and_a_map_can_be_loaded_while_it_runs(ros, robot, frames, room_map) -> None:
    ros.start(LocalizerNode)
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    robot.show_until(frames, lambda: any("no map" in status.reason for status in statuses))
    loaded = ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path=str(room_map)))
    assert loaded.success and loaded.codes > 1000 and loaded.keyframes > 1 and loaded.message == "ok"
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses))


def test_the_path_begins_again_in_another_map(ros, robot, localizer, frames, tmp_path) -> None:
    paths = ros.heard(PathMessage, "/localizer/path", 100)
    robot.show_until(frames, lambda: paths and len(paths[-1].poses) >= 3)
    other = save_map_of(frames, tmp_path / "other.safetensors")
    assert ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path=str(other))).success
    empty = wait_until(lambda: [number for number, path in enumerate(paths) if not path.poses])[0]
    assert paths[empty].header.frame_id == "map"
    robot.show_until(frames, lambda: len(paths) > empty + 1)
    assert len(paths[empty + 1].poses) == 1


def test_a_map_that_cannot_be_read_leaves_the_one_in_use(ros, robot, localizer, frames) -> None:
    for path, match in (("/no.safetensors", "no.safetensors must be a file"), ("", "path of the map must be given")):
        response = ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path=path))
        assert not response.success and match in response.message
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses))


def test_relocalize_forgets_where_it_was(ros, robot, localizer, frames) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    robot.show_until(frames, lambda: any(status.state == TRACKING for status in statuses))
    before = len(statuses)  # an image that is on its way may already be localized anew when the service answers
    assert ros.call(Trigger, "/localizer/relocalize").success
    robot.show_until(frames, lambda: any(status.state == RELOCALIZED for status in statuses[before:]))


def test_live_parameters_hold_from_the_next_image_on(ros, robot, localizer, frames) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status")
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses))
    assert localizer.set_parameters([Parameter("pose.min_inliers", value=10000)])[0].successful
    before = len(statuses)
    robot.show_until(frames, lambda: any("inliers" in status.reason for status in statuses[before:]))
    assert not localizer.set_parameters([Parameter("encoder.name", value="dinov2")])[0].successful


def test_diagnostics_warn_without_a_map_and_are_fine_with_one(ros, localizer) -> None:
    arrays = ros.heard(DiagnosticArray, "/diagnostics")
    status = wait_until(lambda: arrays and arrays[-1].status[0])
    assert status.level == DiagnosticStatus.OK and status.name == "/localizer"
    assert {"state", "dropped", "lost in transport", "map version"} <= {value.key for value in status.values}
    ros.start(LocalizerNode, "bare", diagnostics_period_s=0.1)
    found = wait_until(lambda: [array.status[0] for array in arrays if array.status[0].name == "/bare"])
    assert found[0].level == DiagnosticStatus.WARN and "no map yet" in found[0].message


def test_a_calibration_of_another_focal_length_is_diagnosed_until_the_right_one_comes(ros, robot, room_map,
                                                                                       frames) -> None:
    arrays, statuses = ros.heard(DiagnosticArray, "/diagnostics"), ros.heard(LocalizationStatus, "/localizer/status")
    ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.1)
    wrong = [replace(frame, camera=frame.camera.with_focal_factor(1.2)) for frame in frames]
    robot.show_until(wrong, lambda: any("focal length shorter" in status.reason for status in statuses))
    found = wait_until(lambda: [array.status[0] for array in arrays if "focal length shorter" in
                                array.status[0].message])
    assert found[0].level == DiagnosticStatus.WARN and "is the calibration that of this camera" in found[0].message
    before = len(statuses)
    robot.show_until(frames, lambda: any(status.reason == "ok" for status in statuses[before:]))
    wait_until(lambda: "focal length" not in arrays[-1].status[0].message)


@pytest.mark.parametrize("first, warns", [(False, True), (True, False)])
def test_poses_in_a_part_of_the_map_that_is_not_joined_are_diagnosed(ros, robot, room_map, frames, tmp_path,
                                                                     first: bool, warns: bool) -> None:
    map_code = load_map(room_map)
    parts = [map_code.scene_names[0], "elsewhere"]
    map_code.health = {"warnings": [], "unjoined_parts": dict.fromkeys(parts if first else parts[::-1], 9)}
    save_map(map_code, tmp_path / "parts.safetensors")
    arrays, statuses = ros.heard(DiagnosticArray, "/diagnostics"), ros.heard(LocalizationStatus, "/localizer/status")
    ros.start(LocalizerNode, map_file=str(tmp_path / "parts.safetensors"), diagnostics_period_s=0.1)
    robot.show_until(frames, lambda: any(status.trusted for status in statuses))
    seen = len(arrays)
    robot.show_until(frames, lambda: len(arrays) >= seen + 5)
    text = f"localized in {parts[0]}, a part of the map that is not joined to elsewhere"
    assert any(text in array.status[0].message for array in arrays[seen:]) is warns


def test_another_owner_of_tf_is_diagnosed_unless_it_took_over(ros) -> None:
    arrays, node = ros.heard(DiagnosticArray, "/diagnostics"), ros.start(LocalizerNode, diagnostics_period_s=0.1)
    ownership, transform = node._tf._ownership, TransformStamped(child_frame_id="odom")

    def warns() -> list[bool]:
        """Let both nodes send map -> odom; return whether diagnostics warn of it, one after the other."""
        ownership.note_sent([transform])
        ownership.note_heard(TransformStamped(header=Header(stamp=conversions.time_message(1)), child_frame_id="odom"))
        return ["odom comes from another node" in array.status[0].message for array in arrays]

    wait_until(lambda: any(warns()))
    node._tracking.is_owned_elsewhere = lambda: True
    wait_until(lambda: not any(warns()[-2:]))


def test_images_without_camera_info_are_diagnosed(ros, localizer, frames) -> None:
    arrays, publisher = ros.heard(DiagnosticArray, "/diagnostics"), ros.node.create_publisher(Image, "image", 10)
    image = conversions.image_message(frames[0].image)
    wait_until(lambda: publisher.publish(image) or [
        array for array in arrays if "images arrive, but no /camera_info" in array.status[0].message])


def test_compressed_images_are_localized_too(ros, room, room_map, frames) -> None:
    robot = Robot(ros, room, transport="compressed")
    ros.start(LocalizerNode, map_file=str(room_map), images__transport="compressed")
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    robot.show_until(frames, lambda: poses)


def test_it_can_be_stopped_and_started_through_its_lifecycle(ros, robot, localizer, frames) -> None:
    def change(transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return ros.call(ChangeState, "/localizer/change_state", request).success

    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP, Transition.TRANSITION_CONFIGURE,
                       Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_DEACTIVATE,
                       Transition.TRANSITION_ACTIVATE):
        assert change(transition)
    robot.show_until(frames, lambda: poses)


@pytest.mark.parametrize("content, match", [("", "must be a file"), ("amcl:\n  ros__parameters:\n", "or no map")])
def test_a_map_file_that_is_missing_or_no_map_stops_configuring_with_a_clear_error(ros, tmp_path, capfd, content,
                                                                                   match) -> None:
    if content:
        (tmp_path / "gone").write_text(content)
    node = ros.add(
        LocalizerNode(context=ros.context, parameter_overrides=[Parameter("map_file", value=str(tmp_path / "gone"))])
    )
    assert not node.bring_up()
    assert match in (err := capfd.readouterr().err) and "gone must be a" in err
