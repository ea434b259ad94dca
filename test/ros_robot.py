"""A robot for node tests: shows frames of the simulated house as a driver would, and a map of what it shows."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from ros_world import WAIT_S, RosWorld, wait_until

SPEC = "sim:3?rooms=1&frames=40"
SHOW_PERIOD_S = 0.08
LOST_PERIOD_S = 1.0
"""After which an image that nobody has answered is taken for lost on its way."""

MOST_ROUNDS = 20
LEARNED = ("new view", "known view")
"""What a mapper says of an image that it could use."""

STARVED_S = 60.0
"""How long something may take on a machine that is very busy."""


class Robot:
    """Publishes frames with the stamps of now, on the topics of the sequence player."""

    def __init__(self, ros: RosWorld, sequence: Any, **parameters: Any) -> None:
        from rclpy.parameter import Parameter

        from cl_localization.ros.nodes.config import SequencePlayerConfig
        from cl_localization.ros.nodes.managed_node import ManagedNode
        from cl_localization.ros.nodes.sequence_outputs import SequenceOutputs

        overrides = [Parameter(key, value=value) for key, value in parameters.items()]
        self.node = ros.add(ManagedNode("robot", SequencePlayerConfig(), context=ros.context,
                                        parameter_overrides=overrides))
        self.outputs = SequenceOutputs(self.node, self.node.config, sequence.base_T_cam)
        self.shown: dict[int, Any] = {}
        self._ros = ros

    def send_poses(self) -> None:
        """Send the true poses on the topic pose too, as a SLAM would."""
        from geometry_msgs.msg import PoseStamped

        publisher = self._ros.node.create_publisher(PoseStamped, "pose", 10)
        self._ros.node.create_subscription(PoseStamped, "ground_truth", publisher.publish, 10)

    def show(self, frame: Any) -> int:
        """Publish a frame and return its stamp in nanoseconds."""
        stamp_ns = time.time_ns()
        self.shown[stamp_ns] = frame
        self.outputs.publish(frame, stamp_ns)
        return stamp_ns

    def show_until(self, frames: list[Any], condition: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """Show frames over and over until a condition holds; return it. The first ones may be lost before all have
        met."""
        pause, deadline_s, number = threading.Event(), time.monotonic() + timeout_s, 0
        while not (value := condition()):
            assert time.monotonic() < deadline_s, "deadline passed"
            self.show(frames[number % len(frames)])
            number += 1
            pause.wait(SHOW_PERIOD_S)
        return value

    def show_each(self, frames: list[Any], statuses: list[Any], is_done: Callable[[], Any]) -> None:
        """Show frames over and over until a condition holds, each until a status says that it was worked on: then a
        busy machine sees the same images as a quick one, none twice and none left out."""
        for frame in itertools.chain.from_iterable([frames] * MOST_ROUNDS):
            self.show_until_answered(frame, statuses)
            if is_done():
                return
        raise AssertionError(f"{MOST_ROUNDS} times {len(frames)} images were in vain; the last: {statuses[-1]}")

    def show_until_answered(self, frame: Any, statuses: list[Any], reasons: Collection[str] = ()) -> None:
        """Show a frame until there is a status of it, with one of some reasons if there are any, or one that waits for
        nothing."""
        from cl_localization.ros.conversions import stamp_ns

        before, shown_s = len(statuses), -math.inf

        def is_answered() -> bool:
            nonlocal shown_s
            if any(self.shown.get(stamp_ns(status.header.stamp)) is frame and (
                    status.reason in reasons if reasons else not status.reason.startswith("waiting"))
                   for status in statuses[before:]):
                return True
            if time.monotonic() - shown_s > LOST_PERIOD_S:
                self.show(frame)
                shown_s = time.monotonic()
            return False

        wait_until(is_answered)


def save_map_of(frames: list[Any], path: Path) -> Path:
    """Map frames and write the map to a file."""
    from cl_localization.map.map_file import save_map
    from cl_localization.mapper import Mapper

    mapper = Mapper()
    for frame in frames:
        mapper.add(frame)
    mapper.finish()
    save_map(mapper.map_code, path)
    return path


def map_live(ros: RosWorld, robot: Robot, frames: list[Any]) -> None:
    """Start a mapper, show it frames until it has taken each, and have it keep that map."""
    from cl_localization.msg import MappingStatus
    from std_srvs.srv import SetBool

    from cl_localization.ros.nodes.mapper import MapperNode

    robot.send_poses()
    statuses = ros.heard(MappingStatus, "/mapper/status", 100)
    ros.start(MapperNode, "mapper", poses__source="pose")
    for frame in frames:
        robot.show_until_answered(frame, statuses, LEARNED)
    assert ros.call(SetBool, "/mapper/set_learning", SetBool.Request(data=False)).success
