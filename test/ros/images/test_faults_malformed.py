"""Malformed messages on every topic and service of node processes: none ends, none lies, none grows, all go on
working."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus, MappingStatus
from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.srv import LoadMap, SaveMap
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseWithCovarianceStamped, TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from cl_localization.evaluation.records import is_wrong
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.map.map_file import load_map
from cl_localization.ros import conversions
from cl_localization.ros.map_topic.map_messages import map_message
from cl_localization.ros.map_topic.map_subscription import MAP_QOS
from ros_attack import Attack, key_of
from ros_garbage import PATHS
from ros_processes import Processes, memory_bytes
from ros_robot import LEARNED, SHOW_PERIOD_S, Robot
from ros_world import WAIT_S, RosWorld, wait_until

LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
GROWTH_BYTES = 400_000_000
IN_A_ROW = 20
"""Images refused in a row, after which diagnostics may not be OK."""

UNWRITABLE = ("/proc/nowhere/map", "/proc/self/mem/x", "x" * 5000)


class Diagnosed:
    """What a node's diagnostics said, and whether they were ever OK after images in a row had all been refused."""

    def __init__(self, ros: RosWorld, name: str) -> None:
        self.statuses: list[Any] = []
        self._name = name
        ros.node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 100)

    def _hear(self, message: DiagnosticArray) -> None:
        self.statuses += [status for status in message.status if status.name == self._name]

    def after_refusals(self) -> list[bytes]:
        """Levels when at least the last `IN_A_ROW` images had been refused, by the counters in the same message."""
        levels, counted = [], []
        for status in list(self.statuses):
            values = {value.key: value.value for value in status.values}
            if "refused" not in values:
                continue
            counted.append((int(values["processed"]), int(values["refused"])))
            before = [one for one in counted if one[0] <= counted[-1][0] - IN_A_ROW]
            if before and counted[-1][1] - before[-1][1] == counted[-1][0] - before[-1][0]:
                levels.append(status.level)
        return levels


def refuse_many(attack: Attack, diagnosed: Diagnosed) -> int:
    """Have images in a row refused until diagnostics have told of it; check that they never said OK, and return how
    often they spoke meanwhile.
    """
    deadline_s = time.monotonic() + WAIT_S
    while len(diagnosed.after_refusals()) < 5:
        assert time.monotonic() < deadline_s, "deadline passed"
        attack.send_refused()
        attack.pause.wait(SHOW_PERIOD_S)
    assert DiagnosticStatus.OK not in diagnosed.after_refusals()
    return len(diagnosed.after_refusals())


def from_map(messages: list[TFMessage], attack: Attack) -> list[TransformStamped]:
    """The transforms of the map that do not come from the attack."""
    ours = set(attack.keys)
    return [one for message in messages for one in message.transforms
            if one.header.frame_id == "map" and key_of(one) not in ours]


def wrong_corrections(transforms: list[TransformStamped], frames: list[Any]) -> list[Any]:
    """Corrections map -> odom that are right for none of the images ever shown."""
    truths = [frame.world_T_cam @ inverse(frame.odom_T_cam) for frame in frames]
    sent = [conversions.matrix_of(one.transform) for one in transforms if one.child_frame_id == "odom"]
    errors = [min(pose_error(map_T_odom, truth) for truth in truths) for map_T_odom in sent]
    return [error for error in errors if is_wrong(*error)]


def of_refused_images(transforms: list[TransformStamped], statuses: list[LocalizationStatus]) -> list[Any]:
    """Transforms with the timestamp of an image that was refused."""
    trusted = {conversions.stamp_ns(status.header.stamp) for status in statuses if status.reason == "ok"}
    refused = {conversions.stamp_ns(status.header.stamp) for status in statuses} - trusted
    return [one for one in transforms if conversions.stamp_ns(one.header.stamp) in refused]


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
    statuses, heard = ros.heard(LocalizationStatus, "/localizer/status", 1000), ros.heard(TFMessage, "/tf", 1000)
    diagnosed = Diagnosed(ros, "/localizer")
    real = ros.node.create_publisher(MapCodeMessage, "map_code", MAP_QOS)
    real.publish(map_message(load_map(room_map).delta_since(0), 1, "the real mapper"))
    process = processes.start("localizer", "-p", f"images.transport:={transport}", "-p", "encoder.max_keypoints:=500",
                              "-p", "diagnostics_period_s:=0.2")
    wait_until(lambda: diagnosed.statuses)
    robot.show_until(frames[:3], lambda: poses)
    image = {"image": attack.image} if transport == "raw" else {"image/compressed": attack.compressed}
    attack.on_all({"camera_info": attack.info, **image})
    for topic, sample in (("tf", attack.transforms), ("initialpose", attack.guess)):
        attack.on(topic, sample)
    attack.on("tf_static", attack.transforms, LATCHED)
    attack.on("map_code", attack.map_code, MAP_QOS)
    attack.on_service(LoadMap, "/localizer/load_map", PATHS)

    def is_answered(stamps_ns: set[int]) -> bool:
        return any(conversions.stamp_ns(pose.header.stamp) in stamps_ns for pose in poses[-50:])
    grown_bytes = attacked(attack, robot, process, messages, is_answered)
    told = refuse_many(attack, diagnosed)
    assert process.poll() is None and "Traceback" not in processes.log.read_text(errors="replace")
    transforms = from_map(heard, attack)
    honest = [pose for pose in poses if conversions.stamp_ns(pose.header.stamp) not in attack.falsified]
    misled, corrections = len(wrong(poses, frames)), len(wrong_corrections(transforms, frames))
    assert wrong(honest, frames) == [] and of_refused_images(transforms, statuses) == []
    return (f"localizer, {transport}: {attack.sent} malformed messages, {len(honest)} poses, 0 wrong, and "
            f"{misled} of {len(poses) - len(honest)} with another calibration or JPEG; {len(transforms)} transforms, "
            f"{corrections} wrong, after those or by odometry of another time, 0 of a refused image; diagnostics spoke "
            f"{told} times while "
            f"{IN_A_ROW} images in a row were refused, never OK; memory +{grown_bytes / 1e6:.0f} MB")


def mapper_survives(ros: RosWorld, processes: Processes, room: Any, frames: list[Any], messages: int) -> str:
    """Attack a mapper; return the figures."""
    attack, robot, diagnosed = Attack(ros, frames), Robot(ros, room), Diagnosed(ros, "/mapper")
    statuses, maps = ros.heard(MappingStatus, "/mapper/status", 1000), ros.heard(MapCodeMessage, "map_code", MAP_QOS)
    process = processes.start("mapper", "-p", "poses.source:=pose", "-r", "pose:=ground_truth", "-p",
                              "encoder.max_keypoints:=500", "-p", "diagnostics_period_s:=0.2",
                              "-p", "map_code.budget_mb:=4.0")
    robot.show_until(frames[:3], lambda: any(status.codes for status in statuses))
    attack.on_all({"ground_truth": attack.pose, "camera_info": attack.info, "depth": attack.depth,
                   "image": attack.image})
    for topic, sample in (("depth_camera_info", attack.info), ("odom", attack.odometry), ("tf", attack.transforms),
                          ("corrected_path", attack.path)):
        attack.on(topic, sample)
    attack.on("tf_static", attack.transforms, LATCHED)
    attack.on_service(LoadMap, "/mapper/load_map", PATHS)
    attack.on_service(SaveMap, "/mapper/save_map", UNWRITABLE)

    def is_answered(stamps_ns: set[int]) -> bool:
        return any(conversions.stamp_ns(status.header.stamp) in stamps_ns and status.reason in LEARNED
                   for status in statuses[-50:])
    grown_bytes = attacked(attack, robot, process, messages, is_answered)
    told = refuse_many(attack, diagnosed)
    assert process.poll() is None and maps and "Traceback" not in processes.log.read_text(errors="replace")
    assert all(np.isfinite(np.asarray(message.positions_m)).all() for message in maps)
    return (f"mapper: {attack.sent} malformed messages, {statuses[-1].codes} codes; diagnostics spoke {told} times "
            f"while {IN_A_ROW} images in a row were refused, never OK; memory +{grown_bytes / 1e6:.0f} MB")


def attacked(attack: Attack, robot: Robot, process: Any, messages: int,
             is_answered: Callable[[set[int]], bool]) -> int:
    """Bend all headers, then send so many random messages; after each round a good image must get its answer. Returns
    by how many bytes the process grew.
    """
    before_bytes, rounds = memory_bytes(process), itertools.count()

    def show_good() -> None:
        attack.frame, shown = attack.frames[next(rounds) % len(attack.frames)], set(robot.shown)
        robot.show_until([attack.frame], lambda: is_answered(robot.shown.keys() - shown))
    attack.bend_headers()
    show_good()
    until = attack.sent + messages
    while attack.sent < until:
        attack.send(min(50 if messages < 1000 else 200, until - attack.sent))
        show_good()
    attack.settled()
    grown_bytes = memory_bytes(process) - before_bytes
    assert grown_bytes < GROWTH_BYTES
    return grown_bytes


@pytest.fixture(autouse=True)
def logs(processes: Processes, tmp_path: Path) -> Path:
    """The processes write to a file, for they say much about what they get here, and live in a folder where nothing can
    be spoiled."""
    processes.log, processes.folder = tmp_path / "log.txt", tmp_path / "home"
    processes.folder.mkdir()
    return processes.log


def test_a_localizer_survives_malformed_messages(ros, processes, room, frames, room_map) -> None:
    localizer_survives(ros, processes, room, frames, room_map, 100)


def test_a_mapper_survives_malformed_messages(ros, processes, room, frames) -> None:
    mapper_survives(ros, processes, room, frames, 50)


@pytest.mark.long
@pytest.mark.parametrize("target", ["raw", "compressed", "mapper"])
def test_ten_thousand_malformed_messages(ros, processes, room, frames, room_map, target, capsys) -> None:
    figures = (mapper_survives(ros, processes, room, frames, 3000) if target == "mapper" else
               localizer_survives(ros, processes, room, frames, room_map, 3500, target))
    with capsys.disabled():
        print(f"\n{figures}")
