"""The topic initialpose: what is published for AMCL, and what RViz's guesses do."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.localization.result import Localization
from cl_localization.ros import conversions
from cl_localization.ros.nodes.config import LocalizerNodeConfig, NodeConfig
from cl_localization.ros.nodes.initial_pose import GUESS_S, InitialPose
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup
from cl_localization.tracking.tracker import State, Track
from ros_robot import Robot
from ros_world import RosWorld, wait_until


def guess(x_m: float, frame: str = "map", stamp_ns: int = 7) -> PoseWithCovarianceStamped:
    """A pose of the base as RViz sends it."""
    message = PoseWithCovarianceStamped(header=Header(frame_id=frame, stamp=conversions.time_message(stamp_ns)))
    message.pose.pose.position.x, message.pose.pose.orientation.w = x_m, 1.0
    return message


class Stage:
    """The topic of a node of our own, and what is published on it."""

    def __init__(self, ros: RosWorld, heard: bool = True) -> None:
        self.node = ros.add(ManagedNode("localizer", NodeConfig(), context=ros.context))
        self.node.config = LocalizerNodeConfig(publish_initial_pose=True)
        self.reported: list[str] = []
        self.node.report = lambda error: self.reported.append(str(error))
        self.now_s = 100.0
        self.initial = InitialPose(self.node, lambda: self.now_s)
        self.initial.listen(TfLookup(GuardedBuffer(), 0.0))
        self._ros, self.heard = ros, []
        self.publisher = ros.node.create_publisher(PoseWithCovarianceStamped, "initialpose", 10)
        if heard:
            self.hear()

    def hear(self) -> None:
        self.heard = self._ros.heard(PoseWithCovarianceStamped, "initialpose")
        wait_until(lambda: self.initial._publisher.get_subscription_count() == 2)

    def publish(self, stamp_ns: int, state: State = State.TRACKING) -> None:
        self.initial.publish(guess(1.0, stamp_ns=stamp_ns), Track(state, True, ""))

    def guess_now(self) -> np.ndarray | None:
        return self.initial.guess_for(SimpleNamespace(name="camera", stamp_ns=5))

    def take(self, message: PoseWithCovarianceStamped) -> None:
        polls = itertools.count()  # sent again only after a while: what is late would be a guess once more

        def is_taken() -> bool:
            if next(polls) % 100 == 0:
                self.publisher.publish(message)
            return self.initial._guess is not None or bool(self.reported)

        wait_until(lambda: self.publisher.get_subscription_count() > 0)
        wait_until(is_taken)


def test_two_robots_in_namespaces_have_an_initialpose_each(ros: RosWorld) -> None:
    names = []
    for namespace in ("robot1", "robot2"):
        node = ros.add(ManagedNode("localizer", NodeConfig(), context=ros.context, namespace=namespace))
        initial = InitialPose(node)
        initial.listen(TfLookup(GuardedBuffer(), 0.0))
        names.append(initial._publisher.topic_name)
        assert ros.node.count_subscribers(names[-1]) == 1
    assert names == ["/robot1/initialpose", "/robot2/initialpose"]


def test_it_waits_for_somebody_who_listens_and_is_sent_again_after_each_loss(ros: RosWorld) -> None:
    stage = Stage(ros, heard=False)
    stage.publish(1, State.RELOCALIZED)
    stage.hear()
    for stamp_ns, state in ((2, State.TRACKING), (3, State.TRACKING), (4, State.RELOCALIZED), (5, State.TRACKING)):
        stage.publish(stamp_ns, state)
    wait_until(lambda: len(stage.heard) == 2)
    assert [conversions.stamp_ns(message.header.stamp) for message in stage.heard] == [2, 4]
    assert stage.initial._guess is None  # its own are no guesses


def test_a_guess_is_searched_for_some_time_or_until_an_image_agrees(ros: RosWorld) -> None:
    stage = Stage(ros)
    stage.take(guess(3.0, frame="/map"))
    assert stage.guess_now()[0, 3] == 3.0
    far, near = np.eye(4), np.eye(4)
    far[0, 3], near[0, 3] = 9.0, 2.5
    stage.initial.judge(Localization(5, True, "ok", far, np.eye(6)))
    assert stage.guess_now() is not None
    stage.initial.judge(Localization(5, False, "too few inliers", near, np.eye(6)))
    assert stage.guess_now() is not None
    stage.initial.judge(Localization(5, True, "ok", near, np.eye(6)))
    assert stage.guess_now() is None
    stage.take(guess(4.0))
    stage.now_s += GUESS_S + 1
    assert stage.guess_now() is None


def test_an_image_is_searched_where_the_camera_is_on_a_base_at_the_guess(ros: RosWorld) -> None:
    stage, buffer = Stage(ros), GuardedBuffer()
    transform = TransformStamped(header=Header(frame_id="base_link"), child_frame_id="camera")
    transform.transform.translation.x, transform.transform.rotation.w = 0.5, 1.0
    buffer.set_transform_static(transform, "test")
    stage.initial.listen(TfLookup(buffer, 0.0))
    stage.take(guess(3.0))
    assert stage.guess_now()[0, 3] == 3.5


def test_a_guess_in_another_frame_is_refused(ros: RosWorld) -> None:
    stage = Stage(ros)
    stage.take(guess(3.0, frame="odom"))
    assert stage.reported[0] == "frame_id of initialpose must be map, found odom; set RViz's fixed frame to it"
    assert stage.guess_now() is None


def test_the_pose_of_the_base_is_sent_at_first_and_again_when_it_was_lost(
        ros: RosWorld, robot: Robot, room: Any, room_map: Path, frames: list[Any]) -> None:
    initial = ros.heard(PoseWithCovarianceStamped, "/initialpose")
    ros.start(LocalizerNode, map_file=str(room_map), publish_initial_pose=True, tracker__lost_after_s=10.0)
    robot.show_until(frames[:6], lambda: len(initial) == 1)
    ros.call(Trigger, "/localizer/relocalize")
    robot.show_until(frames[:6], lambda: len(initial) == 2)
    for message in initial:
        truth = robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam @ inverse(room.base_T_cam)
        assert pose_error(conversions.matrix_of(message.pose.pose), truth)[0] < 0.15


def test_a_wrong_guess_moves_nobody_and_a_right_one_is_said_to_agree(
        ros: RosWorld, robot: Robot, room_map: Path, frames: list[Any], capfd: pytest.CaptureFixture) -> None:
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose")
    node = ros.start(LocalizerNode, map_file=str(room_map))
    publisher = ros.node.create_publisher(PoseWithCovarianceStamped, "initialpose", 10)
    robot.show_until(frames, lambda: poses)
    wait_until(lambda: publisher.publish(guess(50.0)) or node._outputs.initial._guess is not None)
    before = len(poses)
    robot.show_until(frames, lambda: len(poses) >= before + 3)
    for message in poses[before:]:
        truth = robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam
        assert pose_error(conversions.matrix_of(message.pose.pose), truth)[0] < 0.1
    right = guess(0.0, stamp_ns=8)
    right.pose.pose = conversions.pose_message(frames[0].world_T_cam)
    publisher.publish(right)
    robot.show_until([frames[0]], lambda: "an image agrees with the guess on initialpose" in capfd.readouterr().err)
