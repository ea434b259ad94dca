"""An attack on a node: malformed messages on all topics and services that it hears."""

from __future__ import annotations

import array
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cl_localization.msg import MapCode as MapCodeMessage
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from cl_localization.ros import conversions
from cl_localization.ros.map_topic.map_messages import checksum, map_message
from map_makers import empty_map, grow
from ros_garbage import bend, bends, headers_of, spoiled
from ros_world import RosWorld, wait_until

PAUSE_S = 0.004
ROBOT_FRAMES = {"odom", "base_link", "camera_optical_frame"}


@dataclass
class Attack:
    """Real messages of a robot in the room, one spoiled after the other, on the topics that a node hears.

    Attributes:
        frame: what the robot sees.
        sent: so many malformed messages.
        keys: of the transforms among them, see `key_of`.
        falsified: timestamps of images whose calibration or JPEG was spoiled: the one may be that of another lens, and
            the other still be an image, shifted sideways from the changed byte on.
    """

    ros: RosWorld
    frames: list[Any]
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    sent: int = 0

    def __post_init__(self) -> None:
        self.frame, self._now = self.frames[0], itertools.count(1)
        self._groups: list[list[tuple[Any, Callable[[], Any]]]] = []
        self._services: list[Callable[[], None]] = []
        self._answers: list[Any] = []
        self.keys: list[Any] = []
        self.falsified: set[int] = set()
        self.pause = threading.Event()

    def on(self, topic: str, sample: Callable[[], Any], qos: Any = 10) -> None:
        """Attack a topic with messages that `sample` makes."""
        self.on_all({topic: sample}, qos)

    def on_all(self, samples: dict[str, Callable[[], Any]], qos: Any = 10) -> None:
        """Attack topics whose messages belong together by their timestamps."""
        self._groups.append([(self.ros.node.create_publisher(type(sample()), topic, qos), sample)
                             for topic, sample in samples.items()])

    def on_service(self, service_type: type, name: str, paths: tuple[str, ...]) -> None:
        """Attack a service that takes a path."""
        client = self.ros.node.create_client(service_type, name)
        wait_until(client.service_is_ready)

        def call() -> None:
            self.settled()
            request = service_type.Request(path=paths[self.random.integers(len(paths))])
            self._answers.append(client.call_async(request))
        self._services.append(call)

    def send(self, count: int) -> None:
        """Send about so many malformed messages: of those that belong together only one is malformed."""
        until = self.sent + count
        while self.sent < until:
            number = self.random.integers(len(self._groups) + len(self._services))
            if number >= len(self._groups):
                self._services[number - len(self._groups)]()
            else:
                messages = self._together(self._groups[number])
                bad = self.random.integers(len(messages))
                if isinstance(messages[bad][1], CameraInfo | CompressedImage):
                    self.falsified.add(conversions.stamp_ns(messages[bad][1].header.stamp))
                for place, (publisher, message) in enumerate(messages):
                    self._publish(publisher, self.spoiled(message) if place == bad else message)
            self._count()

    def bend_headers(self) -> None:
        """Send every message with every field of every header in it bent in every way: alone, and together with those
        that belong to it, when all are bent alike.
        """
        for group in self._groups:
            for alone in range(len(group) + (len(group) > 1)):
                chosen = group if alone == len(group) else group[alone:alone + 1]
                for number in range(max(len(list(headers_of(sample()))) for _, sample in chosen)):
                    for name, value in bends(self.ros.node.get_clock().now().to_msg()):
                        self._send_bent(chosen, number, name, value)

    def send_refused(self) -> None:
        """Send images, with all that belongs to them, of an encoding that nobody reads."""
        for publisher, message in self._together(self._groups[0]):
            if hasattr(message, "encoding"):
                message.encoding = "nv24"
            if hasattr(message, "format"):
                message.data = array.array("B", b"none")
            self._publish(publisher, message)
        self._count()

    def _publish(self, publisher: Any, message: Any) -> None:
        if isinstance(message, TFMessage):
            self.keys += [key_of(one) for one in message.transforms]
        publisher.publish(message)

    def _send_bent(self, group: list[tuple[Any, Callable[[], Any]]], number: int, name: str, value: Any) -> None:
        for publisher, message in self._together(group):
            headers = list(headers_of(message))
            bend(headers[min(number, len(headers) - 1)], name, value)
            self._publish(publisher, message)
        self._count()

    def _together(self, group: list[tuple[Any, Callable[[], Any]]]) -> list[tuple[Any, Any]]:
        """Return (publisher, message) of a group, in which all have the timestamp of the first."""
        messages = [(publisher, sample()) for publisher, sample in group]
        if len(messages) > 1:
            for _, message in messages:
                message.header.stamp = messages[0][1].header.stamp
        return messages

    def _count(self) -> None:
        self.sent += 1
        self.pause.wait(PAUSE_S)

    def spoiled(self, message: Any) -> Any:
        """A spoiled copy; every other map with a checksum that fits what it holds, and no transform of the robot's own
        frames: that would be no malformed one but a false one.
        """
        copy = spoiled(message, self.random)
        while isinstance(copy, TFMessage) \
                and {conversions.plain(one.child_frame_id) for one in copy.transforms} & ROBOT_FRAMES:
            copy = spoiled(message, self.random)
        if isinstance(copy, MapCodeMessage) and self.random.random() < 0.5:
            copy.checksum = checksum(copy)
        return copy

    def settled(self) -> None:
        """Wait for the services to have answered, none with success."""
        wait_until(lambda: all(answer.done() for answer in self._answers[-1:]))
        assert not [answer.result() for answer in self._answers[-1:] if answer.result().success]

    def stamped(self, message: Any, frame_id: str = "camera_optical_frame") -> Any:
        """The message with the header of an image of now."""
        message.header = Header(stamp=self.ros.node.get_clock().now().to_msg(), frame_id=frame_id)
        return message

    def image(self) -> Image:
        """What the robot sees."""
        return self.stamped(conversions.image_message(self.frame.image))

    def compressed(self) -> CompressedImage:
        """The same as JPEG."""
        return self.stamped(conversions.compressed_message(self.frame.image))

    def info(self) -> CameraInfo:
        """The calibration."""
        return self.stamped(conversions.camera_info_message(self.frame.camera))

    def depth(self) -> Image:
        """How far off it is."""
        return self.stamped(conversions.depth_message(self.frame.depth_m))

    def pose(self) -> PoseStamped:
        """Where the robot is."""
        return self.stamped(PoseStamped(pose=conversions.pose_message(self.frame.world_T_cam)), "map")

    def guess(self) -> PoseWithCovarianceStamped:
        """Where somebody believes the robot to be."""
        message = PoseWithCovarianceStamped()
        message.pose.pose = conversions.pose_message(self.frame.world_T_cam)
        return self.stamped(message, "map")

    def path(self) -> PathMessage:
        """Where it was, as a SLAM corrects it."""
        return self.stamped(PathMessage(poses=[self.pose() for _ in range(3)]), "map")

    def odometry(self) -> Odometry:
        """Where its wheels say it is."""
        return self.stamped(Odometry(child_frame_id="base_link"), "odom")

    def transforms(self) -> TFMessage:
        """Transforms of frames that nobody needs, and one of a frame that is its own parent."""
        number = next(self._now)
        names = [(f"a{number}", f"b{number % 50}"), (f"b{number % 50}", f"a{number}"), ("c", "c")]
        transforms = [TransformStamped(child_frame_id=child) for _, child in names]
        for transform, (parent, _) in zip(transforms, names):
            self.stamped(transform, parent)
        return TFMessage(transforms=transforms)

    def map_code(self) -> MapCodeMessage:
        """A map of some other place, by somebody else."""
        map_code = empty_map(dim=64)
        grow(map_code, count=20)
        return map_message(map_code.delta_since(0), next(self._now), "somebody else")


def key_of(transform: TransformStamped) -> tuple[Any, ...]:
    """What tells a transform from others: its header and its child."""
    header = transform.header
    return header.stamp.sec, header.stamp.nanosec, header.frame_id, transform.child_frame_id
