"""Images, calibrations and clocks that go wrong in front of a localizer that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.se3 import pose_error
from cl_localization.ros import conversions
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.sequence_player import SequencePlayerNode
from ros_faults import Relay, SimulatedClock, starved_cpu
from ros_robot import Robot
from ros_world import RosWorld, wait_until


def near(message: PoseWithCovarianceStamped, frame: Any) -> bool:
    """Whether a pose is where the image was taken."""
    distance_m, angle_deg = pose_error(conversions.matrix_of(message.pose.pose), frame.world_T_cam)
    return distance_m < 0.1 and angle_deg < 5


def half(frame: Any) -> Any:
    """The frame as a camera of half the resolution sees it."""
    size = frame.camera.width_px // 2, frame.camera.height_px // 2
    return replace(frame, image=cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA),
                   camera=frame.camera.scaled_to(*size),
                   depth_m=None)


def cropped(frame: Any) -> Any:
    """The middle of the frame at the same size: another K, as after zooming."""
    view = frame.camera
    middle = frame.image[view.height_px // 10:-view.height_px // 10, view.width_px // 10:-view.width_px // 10]
    height, width = middle.shape[:2]
    zoomed = replace(view, width_px=width, height_px=height, cx_px=view.cx_px - view.width_px // 10,
                     cy_px=view.cy_px - view.height_px // 10).scaled_to(view.width_px, view.height_px)
    return replace(frame, image=cv2.resize(middle, (view.width_px, view.height_px)), camera=zoomed, depth_m=None)


def test_a_calibration_that_changes_between_images_holds_for_the_image_it_comes_with(
    ros: RosWorld, room, room_map, frames
) -> None:
    robot, poses = Robot(ros, room), ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    ros.start(LocalizerNode, map_file=str(room_map))
    for change in (lambda frame: frame, cropped, half, lambda frame: frame):
        seen = len(poses)
        robot.show_until([change(frame) for frame in frames[4:6]], lambda: len(poses) >= seen + 2)
    assert all(near(pose, robot.shown[conversions.stamp_ns(pose.header.stamp)]) for pose in poses)


def test_damaged_and_exploding_compressed_images_are_refused_with_the_reason_and_the_next_good_one_is_used(
        ros: RosWorld, room, room_map, frames) -> None:
    robot = Robot(ros, room, transport="compressed")
    poses, statuses = (
        ros.heard(PoseWithCovarianceStamped, "/localizer/pose"),
        ros.heard(LocalizationStatus, "/localizer/status", 100),
    )
    ros.start(LocalizerNode, map_file=str(room_map), images__transport="compressed")
    robot.show_until(frames, lambda: poses)
    jpeg, png = (bytearray(cv2.imencode(kind, frames[0].image)[1].tobytes()) for kind in (".jpg", ".png"))
    start = jpeg.index(b"\xff\xc0")
    bomb_jpeg, bomb_png = jpeg.copy(), png.copy()
    bomb_jpeg[start + 5:start + 9] = (40000).to_bytes(2, "big") * 2
    bomb_png[16:24] = (40000).to_bytes(4, "big") * 2
    for data, reason in ((bomb_jpeg, "found 40000x40000"), (bomb_png, "found 40000x40000"),
                         (png[:200], "image on /image/compressed cannot be decoded"),
                         (b"", "image on /image/compressed must be a PNG, JPEG"),
                         (bytes(1000), "image on /image/compressed must be a PNG, JPEG")):
        message = CompressedImage(format="jpeg", data=conversions.bytes_field(np.frombuffer(bytes(data), np.uint8)))

        def show() -> None:
            message.header = Header(stamp=conversions.time_message(robot.show(frames[0]) + 50_000_000),
                                    frame_id="camera_optical_frame")
            info = conversions.camera_info_message(frames[0].camera)
            info.header = message.header
            robot.outputs._info.publish(info)
            robot.outputs.image.publish(message)

        wait_until(lambda: show() or any(reason in status.reason for status in statuses))
        statuses.clear()
    seen = len(poses)
    encoded = CompressedImage(format="png", data=conversions.bytes_field(np.frombuffer(
        cv2.imencode(".png", frames[0].image[..., ::-1])[1].tobytes(), np.uint8)))
    robot.outputs._convert = lambda image: encoded
    robot.show_until([frames[0]], lambda: len(poses) > seen + 1)
    assert near(poses[-1], frames[0])


def test_when_the_cable_is_out_diagnostics_say_so_and_localizing_goes_on_when_it_is_in_again(
    ros: RosWorld, room, room_map, frames
) -> None:
    robot, poses = Robot(ros, room), ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    ros.start(LocalizerNode, map_file=str(room_map), diagnostics_period_s=0.2)
    robot.show_until(frames, lambda: poses)
    wait_until(lambda: any("no images on /image" in status.message for array in arrays for status in array.status))
    seen = len(poses)
    robot.show_until(frames, lambda: len(poses) > seen)


@pytest.mark.parametrize("jump_s", [-500, 500])
def test_simulated_time_that_jumps_is_survived(ros: RosWorld, room, room_map, frames, jump_s: int) -> None:
    robot, poses = Robot(ros, room), ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    clock = SimulatedClock(ros.node, 1000 * NS_PER_S)
    ros.start(LocalizerNode, map_file=str(room_map), use_sim_time=True, diagnostics_period_s=0.2)
    shown: dict[int, Any] = {}

    def show() -> None:
        frame = frames[len(shown) % len(frames)]
        clock.go_to(clock.now_ns + NS_PER_S // 10)
        shown[clock.now_ns] = frame
        robot.outputs.publish(frame, clock.now_ns)

    def show_until_poses(after_ns: int, before_ns: int) -> None:
        wait_until(lambda: show() or [pose for pose in poses
                                      if after_ns <= conversions.stamp_ns(pose.header.stamp) < before_ns])

    show_until_poses(0, clock.now_ns + 300 * NS_PER_S)
    clock.go_to(clock.now_ns + jump_s * NS_PER_S)
    first_ns = clock.now_ns
    poses.clear()
    show_until_poses(first_ns, first_ns + 100 * NS_PER_S)
    assert all(near(pose, shown[conversions.stamp_ns(pose.header.stamp)]) for pose in poses)
    arrays.clear()
    wait_until(lambda: arrays)  # also while the simulation stands still


def test_a_sequence_that_loops_with_its_own_stamps_is_localized_again_and_again(ros: RosWorld, room_map) -> None:
    poses, statuses = (
        ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100),
        ros.heard(LocalizationStatus, "/localizer/status", 100),
    )
    ros.start(LocalizerNode, map_file=str(room_map))
    ros.start(SequencePlayerNode, sequence="sim:3?rooms=1&frames=40", stamps="original", loop=True)

    def stamps() -> list[int]:
        return [conversions.stamp_ns(pose.header.stamp) for pose in poses]

    wait_until(lambda: sum(after < before for before, after in zip(stamps(), stamps()[1:])) >= 2)
    assert any(status.state == LocalizationStatus.TRACKING for status in statuses)


def test_a_starved_processor_makes_poses_late_not_wrong(ros: RosWorld, room, room_map, frames) -> None:
    robot, poses = Robot(ros, room), ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    ros.start(LocalizerNode, map_file=str(room_map))
    robot.show_until(frames, lambda: poses)
    with starved_cpu():
        seen = len(poses)
        robot.show_until(frames, lambda: len(poses) >= seen + 3)
    assert all(near(pose, robot.shown[conversions.stamp_ns(pose.header.stamp)]) for pose in poses)


def test_images_that_are_lost_doubled_late_and_out_of_order_never_make_a_wrong_pose(
    ros: RosWorld, room, room_map, frames
) -> None:
    robot, poses = Robot(ros, room), ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    relays = [Relay(ros.node, kind, topic, f"{topic}_spoiled", seed=seed)
              for seed, (kind, topic) in enumerate(((Image, "image"), (CameraInfo, "camera_info")))]
    for relay in relays:
        relay.spoil.drop, relay.spoil.duplicate, relay.spoil.delay = 0.1, 0.2, 0.2
    localizer = ros.add(LocalizerNode(context=ros.context, cli_args=[
        "--ros-args", "-r", "image:=image_spoiled", "-r", "camera_info:=camera_info_spoiled", "-p",
        f"map_file:={room_map}"]))
    assert localizer.bring_up()
    robot.show_until(frames, lambda: len(poses) >= 15)
    assert all(near(pose, robot.shown[conversions.stamp_ns(pose.header.stamp)]) for pose in poses)
