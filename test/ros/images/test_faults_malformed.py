"""Malformed messages on every topic and service of node processes: none ends, none lies, none grows, all go on
working."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.msg import MappingStatus
from cl_localization.srv import LoadMap, SaveMap
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as PathMessage
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from cl_localization.evaluation.records import is_wrong
from cl_localization.geometry.se3 import pose_error
from cl_localization.map.map_file import load_map
from cl_localization.ros import conversions
from cl_localization.ros.map_topic.map_messages import checksum, map_message
from cl_localization.ros.map_topic.map_subscription import MAP_QOS
from map_makers import empty_map, grow
from ros_garbage import PATHS, spoiled
from ros_processes import Processes, memory_bytes
from ros_robot import Robot
from ros_world import RosWorld, wait_until

LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PAUSE_S = 0.004
GROWTH_BYTES = 400_000_000
LEARNED = ("new view", "known view")
UNWRITABLE = ("/proc/nowhere/map", "/proc/self/mem/x", "x" * 5000)


@dataclass
class Attack:
    """Real messages of a robot in the room, one spoiled after the other, on the topics that a node hears."""

    ros: RosWorld
    frames: list[Any]
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    sent: int = 0

    def __post_init__(self) -> None:
        self.frame, self._now = self.frames[0], itertools.count(1)
        self._sources: list[tuple[Any, Callable[[], Any]]] = []
        self._answers: list[Any] = []
        self.pause = threading.Event()

    def on(self, topic: str, sample: Callable[[], Any], qos: Any = 10) -> None:
        """Attack a topic with messages that `sample` makes."""
        self._sources.append((self.ros.node.create_publisher(type(sample()), topic, qos), sample))

    def on_service(self, service_type: type, name: str, paths: tuple[str, ...]) -> None:
        """Attack a service that takes a path."""
        client = self.ros.node.create_client(service_type, name)
        wait_until(client.service_is_ready)
        self._sources.append((client, lambda: service_type.Request(path=paths[self.random.integers(len(paths))])))

    def send(self, count: int) -> None:
        """Send so many malformed messages."""
        for _ in range(count):
            target, sample = self._sources[self.random.integers(len(self._sources))]
            if hasattr(target, "publish"):
                target.publish(self.spoiled(sample()))
            else:
                self.settled()
                self._answers.append(target.call_async(sample()))
            self.sent += 1
            self.pause.wait(PAUSE_S)

    def spoiled(self, message: Any) -> Any:
        """A spoiled copy; every other map with a checksum that fits what it holds."""
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
        names = [(f"a{number}", f"b{number % 50}"), (f"b{number % 50}", f"a{number}"), ("odom", "odom")]
        transforms = [TransformStamped(child_frame_id=child) for _, child in names]
        for transform, (parent, _) in zip(transforms, names):
            self.stamped(transform, parent)
        return TFMessage(transforms=transforms)

    def map_code(self) -> MapCodeMessage:
        """A map of some other place, by somebody else."""
        map_code = empty_map(dim=64)
        grow(map_code, count=20)
        return map_message(map_code.delta_since(0), next(self._now), "somebody else")


def wrong(poses: list[PoseWithCovarianceStamped], frames: list[Any]) -> list[Any]:
    """The poses that are near none of those from which an image was ever shown."""
    def error(pose: np.ndarray) -> tuple[float, float]:
        return min(pose_error(pose, frame.world_T_cam) for frame in frames)

    found = [error(conversions.matrix_of(message.pose.pose)) for message in poses]
    return [error for error in found if is_wrong(*error)]


def localizer_survives(ros: RosWorld, processes: Processes, room: Any, frames: list[Any], room_map: Path, messages: int,
                       transport: str = "raw") -> str:
    """Attack a localizer; return the figures."""
    attack, robot = Attack(ros, frames), Robot(ros, room, transport=transport)
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 1000)
    arrays = ros.heard(DiagnosticArray, "/diagnostics")
    real = ros.node.create_publisher(MapCodeMessage, "map_code", MAP_QOS)
    real.publish(map_message(load_map(room_map).delta_since(0), 1, "the real mapper"))
    process = processes.start("localizer", "-p", f"images.transport:={transport}", "-p", "encoder.max_keypoints:=500")
    wait_until(lambda: any(array.status[0].name == "/localizer" for array in arrays))
    robot.show_until(frames[:3], lambda: poses)
    for topic, sample in (("camera_info", attack.info), ("tf", attack.transforms), ("initialpose", attack.guess)):
        attack.on(topic, sample)
    attack.on("tf_static", attack.transforms, LATCHED)
    attack.on("image", attack.image) if transport == "raw" else attack.on("image/compressed", attack.compressed)
    attack.on("map_code", attack.map_code, MAP_QOS)
    attack.on_service(LoadMap, "/localizer/load_map", PATHS)
    before_bytes, rounds = memory_bytes(process), 0
    while attack.sent < messages:
        attack.send(min(50 if messages < 1000 else 200, messages - attack.sent))
        attack.frame, count = frames[rounds % len(frames)], len(poses)
        shown = set(robot.shown)
        robot.show_until([attack.frame], lambda: any(conversions.stamp_ns(pose.header.stamp) in robot.shown.keys()
                                                     - shown
                                                     for pose in poses[count:]))
        rounds += 1
    attack.settled()
    grown_bytes = memory_bytes(process) - before_bytes
    assert process.poll() is None and "Traceback" not in processes.log.read_text(errors="replace")
    assert wrong(poses, frames) == []
    assert grown_bytes < GROWTH_BYTES
    return (f"localizer, {transport}: {attack.sent} malformed messages, {len(poses)} poses, 0 wrong, "
            f"memory +{grown_bytes / 1e6:.0f} MB")


def mapper_survives(ros: RosWorld, processes: Processes, room: Any, frames: list[Any], messages: int) -> str:
    """Attack a mapper; return the figures."""
    attack, robot = Attack(ros, frames), Robot(ros, room)
    statuses, maps = ros.heard(MappingStatus, "/mapper/status", 1000), ros.heard(MapCodeMessage, "map_code", MAP_QOS)
    process = processes.start("mapper", "-p", "poses.source:=pose", "-r", "pose:=ground_truth", "-p",
                              "encoder.max_keypoints:=500",
                              "-p", "map_code.budget_mb:=4.0")
    robot.show_until(frames[:3], lambda: any(status.codes for status in statuses))
    for topic, sample in (("image", attack.image), ("camera_info", attack.info), ("depth", attack.depth),
                          ("depth_camera_info", attack.info), ("ground_truth", attack.pose),
                          ("odom", attack.odometry), ("tf", attack.transforms), ("corrected_path", attack.path)):
        attack.on(topic, sample)
    attack.on("tf_static", attack.transforms, LATCHED)
    attack.on_service(LoadMap, "/mapper/load_map", PATHS)
    attack.on_service(SaveMap, "/mapper/save_map", UNWRITABLE)
    before_bytes, rounds = memory_bytes(process), 0
    while attack.sent < messages:
        attack.send(min(50 if messages < 1000 else 200, messages - attack.sent))
        attack.frame, shown = frames[rounds % len(frames)], set(robot.shown)
        robot.show_until([attack.frame], lambda: any(
            conversions.stamp_ns(status.header.stamp) in robot.shown.keys() - shown and status.reason in LEARNED
            for status in statuses[-50:]))
        rounds += 1
    attack.settled()
    grown_bytes = memory_bytes(process) - before_bytes
    assert process.poll() is None and maps and "Traceback" not in processes.log.read_text(errors="replace")
    assert all(np.isfinite(np.asarray(message.positions_m)).all() for message in maps)
    assert grown_bytes < GROWTH_BYTES
    return f"mapper: {attack.sent} malformed messages, {statuses[-1].codes} codes, memory +{grown_bytes / 1e6:.0f} MB"


@pytest.fixture(autouse=True)
def logs(processes: Processes, tmp_path: Path) -> Path:
    """The processes write to a file, for they say much about what they get here, and live in a folder where nothing can
    be spoiled."""
    processes.log, processes.folder = tmp_path / "log.txt", tmp_path / "home"
    processes.folder.mkdir()
    return processes.log


def test_a_localizer_survives_malformed_messages(ros, processes, room, frames, room_map) -> None:
    localizer_survives(ros, processes, room, frames, room_map, 200)


def test_a_mapper_survives_malformed_messages(ros, processes, room, frames) -> None:
    mapper_survives(ros, processes, room, frames, 100)


@pytest.mark.long
@pytest.mark.parametrize("target", ["raw", "compressed", "mapper"])
def test_ten_thousand_malformed_messages(ros, processes, room, frames, room_map, target, capsys) -> None:
    figures = (mapper_survives(ros, processes, room, frames, 3000) if target == "mapper" else
               localizer_survives(ros, processes, room, frames, room_map, 3500, target))
    with capsys.disabled():
        print(f"\n{figures}")
