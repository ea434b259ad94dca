"""The sequence player: everything a frame holds, in time, to the end."""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Bool
from tf2_msgs.msg import TFMessage

from cl_localization.data.frame import Frame
from cl_localization.data.message_camera import camera_of
from cl_localization.data.message_depth import depth_of
from cl_localization.data.message_images import rgb_of
from cl_localization.errors import DataError
from cl_localization.ros import conversions
from cl_localization.ros.nodes.playback import Playback
from cl_localization.ros.nodes.sequence_player import SequencePlayerNode
from data.makers import write_7scenes
from ros_robot import SPEC
from ros_world import RosWorld, wait_until

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED_LOG = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SHORT = f"{SPEC}[0:5]"
PARAMETERS = {"sequence": SHORT, "rate": 0.0, "wait_for_subscribers": 1}


def play(ros: RosWorld, **parameters: Any) -> SequencePlayerNode:
    """Start a player of five frames."""
    return ros.start(SequencePlayerNode, **(PARAMETERS | parameters))


def test_all_of_a_frame_is_published_with_one_stamp(ros: RosWorld, room) -> None:
    images, infos, depths = ros.heard(Image, "image"), ros.heard(CameraInfo, "camera_info"), ros.heard(Image, "depth")
    truths, odometry = ros.heard(PoseStamped, "ground_truth"), ros.heard(Odometry, "odom")
    play(ros, rate=0.5)

    def of_one_stamp() -> list[Any]:
        by_stamp = [{conversions.stamp_ns(message.header.stamp): message for message in list(messages)}
                    for messages in (images, infos, depths, truths, odometry)]
        common = set.intersection(*(set(messages) for messages in by_stamp))
        return [messages[min(common)] for messages in by_stamp] if common else []

    image, info, depth, truth, moved = wait_until(of_one_stamp)
    index = next(i for i in range(5) if np.allclose(room.pose(i), conversions.matrix_of(truth.pose)))
    frame = room[index]
    np.testing.assert_array_equal(rgb_of(image, "image"), frame.image)
    np.testing.assert_allclose(depth_of(depth, "depth"), frame.depth_m)
    assert camera_of(info, "camera_info") == frame.camera
    np.testing.assert_allclose(conversions.matrix_of(moved.pose.pose) @ room.base_T_cam, frame.odom_T_cam, atol=1e-9)
    assert (moved.header.frame_id, moved.child_frame_id) == ("odom", "base_link")


def test_every_frame_arrives_and_the_end_is_told_also_to_latecomers(ros: RosWorld) -> None:
    images = ros.heard(Image, "image")
    player = play(ros)
    done = ros.heard(Bool, f"/{player.get_name()}/done", LATCHED)
    wait_until(lambda: done)
    wait_until(lambda: len(images) == 5)


def test_the_mounting_of_the_camera_is_on_tf_static_and_odometry_on_tf(ros: RosWorld, room) -> None:
    static, moving = ros.heard(TFMessage, "/tf_static", LATCHED), ros.heard(TFMessage, "/tf", 100)
    play(ros, wait_for_subscribers=0, loop=True, rate=1.0)
    transform = wait_until(lambda: static and static[0].transforms[0])
    assert (transform.header.frame_id, transform.child_frame_id) == ("base_link", "camera_optical_frame")
    np.testing.assert_allclose(conversions.matrix_of(transform.transform), room.base_T_cam, atol=1e-9)
    wait_until(lambda: moving and moving[0].transforms[0].child_frame_id == "base_link")


@pytest.mark.parametrize("odometry", [True, False])
def test_the_true_pose_can_be_on_tf_as_of_a_slam(ros: RosWorld, room, odometry: bool) -> None:
    moving, truths = ros.heard(TFMessage, "/tf", 100), ros.heard(PoseStamped, "ground_truth")
    play(ros, wait_for_subscribers=0, loop=True, rate=1.0, map_tf=True, odometry=odometry)

    def chained() -> list[bool]:
        """Whether the transforms of each frame lead to its true pose."""
        edges = {(conversions.stamp_ns(one.header.stamp), one.header.frame_id, one.child_frame_id):
                 conversions.matrix_of(one.transform) for message in list(moving) for one in message.transforms}
        found = []
        for truth in list(truths):
            stamp = conversions.stamp_ns(truth.header.stamp)
            names = ["map", "odom", "base_link"] if odometry else ["map", "base_link"]
            steps = [edges.get((stamp, *pair)) for pair in itertools.pairwise(names)]
            if all(step is not None for step in steps):
                map_T_cam = functools.reduce(np.matmul, [*steps, room.base_T_cam])
                found.append(np.allclose(map_T_cam, conversions.matrix_of(truth.pose), atol=1e-6))
        return found
    assert all(wait_until(chained))


def test_a_player_that_is_cleaned_up_leaves_no_publishers_of_tf(ros: RosWorld) -> None:
    player = play(ros, wait_for_subscribers=0, loop=True, rate=1.0)

    def publishers() -> list[int]:
        return [player.count_publishers(topic) for topic in ("/tf", "/tf_static")]
    wait_until(lambda: publishers() == [1, 1])
    player.trigger_deactivate()
    player.trigger_cleanup()
    wait_until(lambda: publishers() == [0, 0], timeout_s=10.0)


@pytest.mark.parametrize("last, warns", [(5, True), (40, False)])
def test_rounds_so_short_that_they_look_like_late_images_are_warned_of(ros: RosWorld, last: int, warns: bool) -> None:
    lines = ros.heard(Log, "/rosout", LATCHED_LOG)
    play(ros, sequence=f"{SPEC}[0:{last}]", stamps="original", loop=True)
    wait_until(lambda: any(line.msg == "active" for line in lines))
    assert any("found 0.27 s; a localizer takes the second round for images that come late" in line.msg
               for line in lines) is warns


def test_original_stamps_and_the_clock_are_those_of_the_sequence_and_loop_with_it(ros: RosWorld, room) -> None:
    images, clocks = ros.heard(Image, "image", 100), ros.heard(Clock, "/clock", 100)
    play(ros, stamps="original", clock=True, loop=True)
    wait_until(lambda: len(images) > 6 and len(clocks) > 6)
    expected = [room.stamp_ns(index) for index in range(5)]
    assert {conversions.stamp_ns(image.header.stamp) for image in images} == set(expected)
    assert {conversions.stamp_ns(clock.clock) for clock in clocks} <= set(expected)


def test_start_and_stop_choose_frames_and_images_may_be_compressed(ros: RosWorld) -> None:
    images = ros.heard(CompressedImage, "image/compressed")
    player = play(ros, transport="compressed", start=1, stop=3)
    done = ros.heard(Bool, f"/{player.get_name()}/done", LATCHED)
    wait_until(lambda: done)
    wait_until(lambda: len(images) == 2)


def test_what_the_reader_assumes_is_logged(ros: RosWorld, tmp_path, capfd) -> None:
    write_7scenes(tmp_path, range(0, 4, 2))
    play(ros, sequence=str(tmp_path), wait_for_subscribers=0)
    assert "note: camera is that of 7-Scenes, 525 px; depth registered, poses moved" in capfd.readouterr().err


def test_missing_subscribers_hold_it_up_only_for_a_while(ros: RosWorld, capfd) -> None:
    player = play(ros, wait_for_subscribers=3, wait_timeout_s=0.05)
    done = ros.heard(Bool, f"/{player.get_name()}/done", LATCHED)
    wait_until(lambda: done)
    assert "subscribers, not 3; starting playback without them" in capfd.readouterr().err


@pytest.mark.parametrize("parameters, match", [
    ({}, "parameter sequence must name a sequence"), ({"sequence": "/nowhere"}, "/nowhere"),
    ({"sequence": SHORT, "start": 9}, "must have frames from start to stop; it has 5, found 9 to 0")])
def test_a_sequence_that_cannot_be_played_is_named(ros: RosWorld, parameters: dict, match: str, capfd) -> None:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ros.add(SequencePlayerNode(context=ros.context, parameter_overrides=overrides))
    assert not node.bring_up()
    assert match in capfd.readouterr().err


class Broken:
    """A sequence whose second frame cannot be read."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Frame:
        if index == 1:
            raise DataError("frame 1", "must be readable")
        return self.frame


def test_a_frame_that_cannot_be_read_ends_the_playing_with_its_error(frames) -> None:
    shown, ends = [], []
    playback = Playback(Broken(frames[0]), lambda frame, stamp_ns: shown.append(frame), lambda: 0.0, True)
    playback.start(False, lambda stop: None, ends.append)
    wait_until(lambda: ends)
    assert len(shown) == 1 and "frame 1 must be readable" in str(ends[0])


def test_a_playback_stops_in_the_middle_of_a_wait(frames) -> None:
    shown, ends = [], []
    playback = Playback([frames[0], frames[-1]], lambda frame, stamp_ns: shown.append(frame), lambda: 1e-6, True)
    playback.start(False, lambda stop: None, ends.append)
    wait_until(lambda: shown)
    playback.stop()
    assert len(shown) == 1 and ends == []


def test_a_first_frame_that_is_long_in_the_reading_does_not_hurry_those_after_it(frames: list[Frame],
                                                                                 monkeypatch) -> None:
    class SlowToOpen(list):
        def __getitem__(self, index: int) -> Frame:
            clock.now_s += 5.0 if index == 0 else 0.0
            return super().__getitem__(index)

    class SteppedClock:
        now_s = 0.0

        def wait(self, timeout_s: float) -> bool:
            self.now_s += timeout_s
            return False

    clock, shown_s = SteppedClock(), list[float]()
    monkeypatch.setattr("cl_localization.ros.nodes.playback.time", SimpleNamespace(
        monotonic=lambda: clock.now_s, time_ns=time.time_ns))
    sequence = SlowToOpen([replace(frames[0], stamp_ns=number * 10**8) for number in range(6)])
    playback = Playback(sequence, lambda frame, stamp_ns: shown_s.append(clock.now_s), lambda: 1.0, True)
    playback._stop = clock
    playback._play_once()
    np.testing.assert_allclose(np.diff(shown_s), 0.1)
