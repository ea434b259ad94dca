"""Where the mapper has its poses from when they are late, far off, make no sense or begin anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from std_msgs.msg import Header, String

from cl_localization.errors import RosError
from cl_localization.ros.conversions import transform_message
from cl_localization.ros.mapping.pose_source import make_pose_source
from cl_localization.ros.nodes.config import FramesConfig, PoseSourceConfig
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup
from ros_robot import Robot
from ros_world import RosWorld, wait_until


def pose(second: int, x_m: float, w: float = 1.0) -> PoseStamped:
    """A pose of the camera."""
    message = PoseStamped()
    message.header.stamp, message.pose.position.x, message.pose.orientation.w = Time(sec=second), x_m, w
    return message


def test_poses_are_found_again_after_time_has_gone_back_and_senseless_ones_are_left_out(ros: RosWorld, room) -> None:
    node = Robot(ros, room).node
    source = make_pose_source(node, TfLookup(GuardedBuffer(), 0.0), FramesConfig(tf_wait_s=0.0),
                              PoseSourceConfig(source="pose"))
    publisher = ros.node.create_publisher(PoseStamped, "pose", 100)

    def x_at(second: int) -> float | None:
        try:
            return float(source.map_T_cam("camera", Time(sec=second))[0, 3])
        except RosError:
            return None

    wait_until(lambda: publisher.publish(pose(1000, 1.0)) or x_at(1000) == 1.0)
    for message in (pose(1001, math.nan), pose(1002, 5.0, w=0.0), pose(-5, 7.0), pose(2_000_000_000, 9.0),
                    pose(1003, 3.0)):
        publisher.publish(message)
    wait_until(lambda: x_at(1003) == 3.0)
    assert [x_at(second) for second in (1000, 2_000_000_000)] == [1.0, None] and abs(x_at(1001) - 5 / 3) < 1e-9
    for second in (10, 11, 12):
        publisher.publish(pose(second, float(second)))
    wait_until(lambda: x_at(12) == 12.0)
    assert [x_at(second) for second in (11, 1003)] == [11.0, None]


CAMERA_AHEAD = np.array([[0, 0, 1, 0.6], [-1, 0, 0, 0], [0, -1, 0, 0.9], [0, 0, 0, 1.0]])
FIVE_AHEAD = np.array([[1, 0, 0, 5.0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


class Source:
    """A source of poses whose topic is fed by a publisher of any type, of another participant of DDS: in each a topic
    has one type. The camera is 0.6 m before `base_link`."""

    def __init__(self, ros: RosWorld, room: Any, **config: Any) -> None:
        self.far, self.buffer = RosWorld(ros.domain), GuardedBuffer()
        self.config = PoseSourceConfig(**config)
        self.put("base_link", "camera", CAMERA_AHEAD)
        node = Robot(ros, room).node
        self.source = make_pose_source(node, TfLookup(self.buffer, 0.0), FramesConfig(tf_wait_s=0.0), self.config)
        self._publishers: dict[type, Any] = {}
        self._second = 1000

    def close(self) -> None:
        self.far.close()

    def put(self, parent: str, child: str, matrix: np.ndarray) -> None:
        transform = TransformStamped(header=Header(frame_id=parent), child_frame_id=child,
                                     transform=transform_message(matrix))
        self.buffer.set_transform_static(transform, "test")

    def found(self, message: Any) -> np.ndarray | str:
        """Publish a message until it has come, and return the camera's pose, or why there is none."""
        topic = "odom" if self.config.source == "odometry" else "pose"
        if type(message) not in self._publishers:
            self._publishers[type(message)] = self.far.node.create_publisher(type(message), topic, 10)
        self._second += 1  # earlier messages may still be coming
        message.header.stamp = stamp = Time(sec=self._second)
        before = self.source._problem

        def answered() -> bool:
            self._publishers[type(message)].publish(message)
            newest = self.source._newest
            return (newest is not None and newest.stamp == stamp) or self.source._problem != before
        wait_until(answered)
        try:
            return self.source.map_T_cam("camera", stamp)
        except RosError as error:
            return str(error)


@pytest.fixture
def source_of(ros: RosWorld, room: Any) -> Iterator[Callable[..., Source]]:
    """Make a source of poses; it is closed after the test."""
    with ExitStack() as made:
        yield lambda **config: made.enter_context(closing(Source(ros, room, **config)))


def test_a_pose_in_another_frame_is_transformed_by_tf_or_refused(source_of: Callable[..., Source]) -> None:
    source = source_of(source="pose")
    message = pose(1000, 1.0)
    message.header.frame_id = "/world_enu_zup"
    assert "frame_id of /pose must be map, or connected to it on tf, found world_enu_zup" in source.found(message)
    source.put("map", "world_enu_zup", FIVE_AHEAD)
    np.testing.assert_allclose(source.found(message)[:3, 3], [6, 0, 0], atol=1e-9)


def test_odometry_of_another_frame_than_the_base_is_transformed_by_tf_or_refused(
    source_of: Callable[..., Source]
) -> None:
    source = source_of(source="odometry")
    message = Odometry(header=Header(frame_id="odom"), child_frame_id="wheel_axle")
    message.pose.pose.orientation.w = 1.0
    assert "child of /odom must be camera, or connected to it on tf, found wheel_axle" in source.found(message)
    source.put("base_link", "wheel_axle", np.linalg.inv(FIVE_AHEAD))
    np.testing.assert_allclose(source.found(message)[:3, 3], [5.6, 0, 0.9], atol=1e-9)
    message.header.frame_id = "other_odom"
    assert "frame_id of /odom must be map, or connected to it on tf, found other_odom" in source.found(message)


def test_a_pose_is_the_newest_only_once_it_can_be_looked_up(source_of: Callable[..., Source], monkeypatch) -> None:
    newest, put = [], GuardedBuffer.set_transform
    source = source_of(source="pose")
    monkeypatch.setattr(GuardedBuffer, "set_transform",
                        lambda *args: (newest.append(source.source._newest), put(*args)))
    source.found(pose(1000, 1.0))
    assert newest[0] is None


def test_a_pose_with_covariance_is_used_unless_it_is_uncertain(source_of: Callable[..., Source]) -> None:
    source = source_of(source="pose", pose_of="base")
    message = PoseWithCovarianceStamped(header=Header(frame_id="map"))
    message.pose.pose.orientation.w = 1.0
    np.testing.assert_allclose(source.found(message), CAMERA_AHEAD, atol=1e-9)
    message.pose.covariance[7] = 0.5
    wait_until(lambda: source.found(message) is not None and source.source.problem)  # one with less may still be coming
    assert source.source.problem == ("pose on /pose must have a standard deviation of at most 0.3 m, found 0.71 m; see "
                                     "poses.max_sigma_m")
    message.pose.covariance[7] = 0.0
    wait_until(lambda: isinstance(source.found(message), np.ndarray) and not source.source.problem)


def test_a_transform_names_what_its_pose_is_of(source_of: Callable[..., Source]) -> None:
    source = source_of(source="pose")
    message = TransformStamped(header=Header(frame_id="map"), child_frame_id="/base_link")
    np.testing.assert_allclose(source.found(message), CAMERA_AHEAD, atol=1e-9)


def test_a_topic_of_a_type_that_holds_no_pose_is_named(source_of: Callable[..., Source]) -> None:
    source = source_of(source="pose")
    source.far.node.create_publisher(String, "pose", 10)
    wait_until(lambda: source.source.problem)
    assert source.source.problem.startswith("topic /pose has the type std_msgs/msg/String, must be one of "
                                            "geometry_msgs/msg/PoseStamped, ")
    with pytest.raises(RosError, match="poses on /pose must arrive before images, found topic /pose has the type"):
        source.source.map_T_cam("camera", Time(sec=1))
