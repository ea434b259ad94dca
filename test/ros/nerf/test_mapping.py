"""The radiance field of the mapper as other nodes see it: what it shows, what the status says of it, and that it ends
when it has to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import PoseStamped
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool, Trigger

from cl_localization.config import LiveNerfConfig
from cl_localization.data.frame import Frame
from cl_localization.data.message_depth import depth_of
from cl_localization.data.message_images import rgb_of
from cl_localization.errors import RosError
from cl_localization.mapping.given_pose import MAX_POSITION_M
from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.live_file import load_live
from cl_localization.nerf.views import reduced
from cl_localization.ros import conversions
from cl_localization.ros.nerf.outputs import within_reach
from cl_localization.ros.nerf.pose_check import beside
from cl_localization.ros.nodes.mapper import MapperNode
from ros_robot import Robot
from ros_world import WAIT_S, RosWorld, wait_until

LEARNING = {"poses__source": "pose", "niceness": 0, "threads": 1, "nerf__enabled": True,
            "nerf__seconds_per_second": 1.0, "nerf__views": "field",
            "nerf__width_px": 80, "nerf__max_renders_hz": 20.0, "nerf__cell_size_m": 0.08, "nerf__rays": 512,
            "nerf__settle_steps": 3}
LEAST_PSNR_DB = 18.0
"""Grey has 14.8 to 16 dB of these images, and what was learned for some seconds 20 to 24 dB."""

LARGEST_ERROR_M = 0.25


@pytest.fixture
def robot(robot: Robot) -> Robot:
    """A robot in the room that sends its true poses."""
    robot.send_poses()
    return robot


def small(frame: Frame) -> Frame:
    return reduced(frame, LEARNING["nerf__width_px"], LiveNerfConfig().max_depth_m)


def is_like(frame: Frame, image: Image, depth: Image) -> bool:
    """Whether a render looks like a frame, and lies where it was measured."""
    rendered = torch.from_numpy(rgb_of(image, "image") / 255)
    truth_m, depth_m = small(frame).depth_m, depth_of(depth, "depth")
    known = (truth_m > 0) & (depth_m > 0)
    return bool(psnr_db(rendered, torch.from_numpy(small(frame).image / 255)) > LEAST_PSNR_DB and known.mean() > 0.5
                and np.median(np.abs(truth_m - depth_m)[known]) < LARGEST_ERROR_M)


def test_renders_look_like_the_image_of_their_stamp_and_the_status_tells_novelty(ros, robot, statuses, frames) -> None:
    ros.start(MapperNode, "mapper", **LEARNING)
    images, depths, infos = (ros.heard(kind, f"/mapper/nerf/{name}")
                             for kind, name in ((Image, "image"), (Image, "depth"), (CameraInfo, "camera_info")))

    def good() -> Any:
        ends = [images[-1], depths[-1], infos[-1]] if images and depths and infos else []
        stamps = {conversions.stamp_ns(message.header.stamp) for message in ends}
        shown = robot.shown.get(stamps.pop()) if len(stamps) == 1 else None
        return shown and is_like(shown, *ends[:2]) and ends

    image, depth, info = robot.show_until(frames[:6], good)
    assert {message.header.frame_id for message in (image, depth, info)} == {"camera_optical_frame"}
    assert (image.encoding, depth.encoding, image.width, info.width) == ("rgb8", "32FC1", 80, 80)
    robot.show_until(frames[:6], lambda: math.isfinite(statuses[-1].nerf_after_db))
    status = statuses[-1]
    assert status.nerf and status.nerf_keyframes >= 1 and status.nerf_steps >= 1 and status.nerf_bytes > 1000
    assert 5 < status.nerf_before_db < 60 and 5 < status.nerf_after_db < 60 and status.nerf_skipped_steps == 0


def test_with_depth_the_view_is_drawn_from_keyframes_and_nothing_is_learned(ros, robot, statuses, frames) -> None:
    ros.start(MapperNode, "mapper", **{**LEARNING, "nerf__views": "keyframes"})
    images, depths = (ros.heard(Image, f"/mapper/nerf/{name}") for name in ("image", "depth"))

    def good() -> bool:
        shown = robot.shown.get(conversions.stamp_ns(images[-1].header.stamp)) if images and depths else None
        return shown is not None and images[-1].header.stamp == depths[-1].header.stamp and is_like(shown, images[-1],
                                                                                                     depths[-1])

    robot.show_until(frames[:6], good)
    robot.show_until(frames[:6], lambda: statuses[-1].nerf_keyframes >= 2)
    assert statuses[-1].nerf_steps == 0 and statuses[-1].nerf_after_db > 20


def test_a_view_that_is_asked_for_is_rendered_once_with_its_stamp(ros, robot, statuses, frames) -> None:
    ros.start(MapperNode, "mapper", **LEARNING)
    robot.show_until(frames[:3], lambda: statuses and statuses[-1].nerf_keyframes)
    images = ros.heard(Image, "/mapper/nerf/image")
    asking = ros.node.create_publisher(PoseStamped, "/mapper/nerf/view", 1)
    request = PoseStamped(pose=conversions.pose_message(frames[1].world_T_cam))
    request.header.frame_id, request.header.stamp = "map", conversions.time_message(123_000_000_456)

    def asked() -> list[Image]:
        asking.publish(request)
        return [image for image in images if conversions.stamp_ns(image.header.stamp) == 123_000_000_456]

    wait_until(asked)
    count = len(images)
    wait_until(lambda: any(conversions.stamp_ns(image.header.stamp) in robot.shown for image in images[count:]))
    assert {image.header.frame_id for image in images} == {"camera_optical_frame"}


def test_a_view_may_be_asked_for_in_any_frame_that_tf_knows(ros, robot, statuses, frames) -> None:
    ros.start(MapperNode, "mapper", **{**LEARNING, "poses__source": "tf", "frames__map": "odom"})
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_keyframes)
    images = ros.heard(Image, "/mapper/nerf/image")
    asking = ros.node.create_publisher(PoseStamped, "/mapper/nerf/view", 1)
    request = PoseStamped(pose=conversions.pose_message(np.eye(4)))
    between_ns = list(robot.shown)[-2] + 1  # no image has this stamp
    request.header.frame_id, request.header.stamp = "base_link", conversions.time_message(between_ns)

    def shown() -> bool:
        asking.publish(request)
        return any(conversions.stamp_ns(image.header.stamp) == between_ns for image in images)

    wait_until(shown)


def test_nothing_is_rendered_and_said_without_the_field(ros, robot, statuses, frames) -> None:
    ros.start(MapperNode, "mapper", poses__source="pose")
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes)
    assert not statuses[-1].nerf and math.isnan(statuses[-1].nerf_before_db) and statuses[-1].nerf_bytes == 0
    assert not [name for name, _ in ros.node.get_topic_names_and_types() if "nerf" in name]


def at_rest(ros: RosWorld, node: MapperNode) -> None:
    """Have the field's thread finish what it does, and begin nothing."""
    ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False))
    node._nerf._learner._worker.run(lambda: None).result(WAIT_S)


def test_the_node_stops_while_it_learns_and_shows(ros, robot, statuses, frames) -> None:
    node = ros.start(MapperNode, "mapper", **LEARNING)
    images = ros.heard(Image, "/mapper/nerf/image")
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps > 5 and images)
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
    steps = statuses[-1].nerf_steps
    robot.show_until(frames[:6], lambda: statuses[-1].nerf_steps > steps)
    assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
    assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS


def test_the_mapper_goes_on_from_the_field_that_it_saved(ros, robot, statuses, frames, tmp_path: Path) -> None:
    path = tmp_path / "room.safetensors"
    node = ros.start(MapperNode, "mapper", map_file=str(path), **LEARNING)
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps > 5)
    at_rest(ros, node)
    ros.end(node)
    field, _ = load_live(beside(path), LiveNerfConfig())
    assert field.keyframes >= 1 and field.steps > 5
    statuses.clear()
    ros.start(MapperNode, "mapper", map_file=str(path), **LEARNING)
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps > field.steps)
    assert statuses[-1].nerf_keyframes >= field.keyframes


def test_a_field_of_another_map_or_that_is_damaged_is_left_alone(ros, robot, statuses, frames, tmp_path: Path) -> None:
    path = tmp_path / "room.safetensors"
    beside(path).write_bytes(b"something else")
    ros.start(MapperNode, "mapper", map_file=str(path), save_on_shutdown=False, **LEARNING)
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps)
    assert beside(path).read_bytes() == b"something else"


@pytest.mark.parametrize(("frame", "x", "said"), [("nowhere", 0.0, "tf map -> nowhere must arrive"),
                                                  ("", 0.0, "tf map -> "),
                                                  ("map", math.nan, "pose must be finite"),
                                                  ("map", 1e9, "must lie within")])
def test_a_view_that_cannot_be_shown_is_said_and_the_newest_is_shown_again(ros, robot, statuses, frames, frame, x,
                                                                           said) -> None:
    node = ros.start(MapperNode, "mapper", **LEARNING)
    images = ros.heard(Image, "/mapper/nerf/image")
    robot.show_until(frames[:3], lambda: statuses and statuses[-1].nerf_keyframes and images)
    asking = ros.node.create_publisher(PoseStamped, "/mapper/nerf/view", 1)
    request = PoseStamped(pose=conversions.pose_message(np.eye(4)))
    request.pose.position.x, request.header.frame_id = x, frame
    errors: list[str] = []
    node.report = lambda error: errors.append(str(error))

    def refused() -> list[str]:
        asking.publish(request)
        return [error for error in errors if said in error]

    wait_until(refused)
    count = len(images)
    wait_until(lambda: len(images) > count)


@pytest.mark.parametrize("how", ["reset", "scene"])
def test_the_field_begins_anew_with_another_map_or_scene(ros, robot, statuses, frames, how: str) -> None:
    node = ros.start(MapperNode, "mapper", **LEARNING)
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps > 5)
    ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False))
    life = node._nerf._life
    if how == "reset":
        ros.call(Trigger, "/mapper/reset")
    else:
        from rclpy.parameter import Parameter
        assert node.set_parameters([Parameter("scene", value="cellar")])[0].successful
        ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=True))
        robot.show_until(frames[:6], lambda: statuses[-1].scene == "cellar")
    assert node._nerf._life is not life and node._nerf._life.field is not life.field


def test_learning_stands_still_while_it_is_switched_off(ros, robot, statuses, frames) -> None:
    node = ros.start(MapperNode, "mapper", **LEARNING)
    robot.show_until(frames[:6], lambda: statuses and statuses[-1].nerf_steps > 2)
    at_rest(ros, node)
    steps = node._nerf._life.field.steps
    seen = len(statuses)
    robot.show_until(frames[:6], lambda: len(statuses) > seen + 5)
    assert node._nerf._life.field.steps == steps and not statuses[-1].learning


def test_a_memory_too_small_for_one_keyframe_is_said(ros, robot, statuses, frames) -> None:
    from diagnostic_msgs.msg import DiagnosticArray

    messages = ros.heard(DiagnosticArray, "/diagnostics")
    ros.start(MapperNode, "mapper", diagnostics_period_s=0.1, nerf__replay_mb=0.001, **LEARNING)
    robot.show_until(frames, lambda: any("must fit into the buffer's 1000 bytes" in status.message
                                         for message in messages for status in message.status))
    assert statuses[-1].keyframes and not statuses[-1].nerf_keyframes


@pytest.mark.parametrize("x_m", [MAX_POSITION_M, -1e300, math.inf, math.nan])
def test_a_view_from_so_far_off_that_a_map_cannot_hold_it_is_refused(x_m: float) -> None:
    far, near = np.eye(4), np.eye(4)
    far[0, 3] = x_m
    with pytest.raises(RosError, match="pose of the camera must lie within 100000 m of the map's origin"):
        within_reach(far)
    assert within_reach(near) is near
