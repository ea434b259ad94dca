"""Two robots in two houses, each with player, mapper and localizer in its namespace: nothing crosses."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus, MapCode
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from tf2_msgs.msg import TFMessage

from cl_localization.ros import conversions
from ros_processes import Processes
from ros_world import WAIT_S, RosWorld, wait_until

HOUSES = {"robot1": "sim:3?rooms=1&frames=60", "robot2": "sim:5?rooms=1&frames=60"}
EVERYWHERE = {"/parameter_events", "/rosout", "/diagnostics", "/clock"}
PRIVATE_TF = ("-r", "/tf:=tf", "-r", "/tf_static:=tf_static")
WRONG_M = 0.3


class Heard:
    """What a robot publishes in its namespace, and on the tf that all could share."""

    def __init__(self, ros: RosWorld, name: str) -> None:
        self.statuses = ros.heard(LocalizationStatus, f"/{name}/localizer/status", 100)
        self.maps = ros.heard(MapCode, f"/{name}/map_code", 100)
        self.poses = ros.heard(PoseWithCovarianceStamped, f"/{name}/localizer/pose", 100)
        self.truths = ros.heard(PoseStamped, f"/{name}/ground_truth", 100)

    def errors_m(self) -> list[float]:
        """Distances of the published poses from the true ones of the same images."""
        truths = {conversions.stamp_ns(one.header.stamp): conversions.matrix_of(one.pose) for one in list(self.truths)}
        found = [(conversions.stamp_ns(one.header.stamp), conversions.matrix_of(one.pose.pose))
                 for one in list(self.poses)]
        return [float(np.linalg.norm(pose[:3, 3] - truths[stamp][:3, 3])) for stamp, pose in found if stamp in truths]


def start_robot(processes: Processes, name: str, tf: tuple[str, ...], prefix: str) -> None:
    """Start player, mapper and localizer of a robot; on a shared tf its frames have a prefix."""
    own = ("-r", f"__ns:=/{name}", *tf)
    processes.start("composed", *own, "-r", "pose:=ground_truth", "-p", "poses.source:=pose",
                    "-p", f"frames.odom:={prefix}odom", "-p", f"frames.base:={prefix}base_link")
    processes.start("sequence_player", *own, "-p", f"sequence:={HOUSES[name]}", "-p", "loop:=true", "-p", "rate:=0.3",
                    "-p", f"odom_frame:={prefix}odom", "-p", f"base_frame:={prefix}base_link",
                    "-p", f"camera_frame:={prefix}camera_optical_frame")


@pytest.mark.parametrize(("shared_tf", "images"), [(False, 8), pytest.param(True, 800, marks=pytest.mark.long)])
def test_nothing_of_two_robots_crosses(ros: RosWorld, processes: Processes, shared_tf: bool, images: int) -> None:
    robots = {name: Heard(ros, name) for name in HOUSES}
    shared = ros.heard(TFMessage, "/tf", 100)
    for name in HOUSES:
        start_robot(processes, name, () if shared_tf else PRIVATE_TF, f"{name}/" if shared_tf else "")
    wait_until(lambda: all(len(robot.errors_m()) >= images for robot in robots.values()), WAIT_S + 2 * images)

    check_names(ros, {"/tf", "/tf_static"} if shared_tf else set())
    ids = {name: {message.map_id for message in list(robot.maps)} for name, robot in robots.items()}
    assert all(len(one) == 1 for one in ids.values()) and ids["robot1"] != ids["robot2"]
    for name, robot in robots.items():
        assert {status.map_id for status in list(robot.statuses)} <= ids[name] | {""}
        assert max(robot.errors_m()) < WRONG_M
    edges = {(one.header.frame_id, one.child_frame_id) for message in list(shared) for one in message.transforms}
    assert edges == ({("map", f"{name}/odom") for name in HOUSES}
                     | {(f"{name}/odom", f"{name}/base_link") for name in HOUSES} if shared_tf else set())


def check_names(ros: RosWorld, shared: set[str]) -> None:
    """Check that every topic and service belongs to a robot, to this test, or to everybody."""
    topics = {name for name, _ in ros.node.get_topic_names_and_types()}
    services = {name for name, _ in ros.node.get_service_names_and_types() if not name.startswith("/test/")}
    assert [name for name in topics - EVERYWHERE - shared - {"/tf"} if name.split("/")[1] not in HOUSES] == []
    assert [name for name in services if name.split("/")[1] not in HOUSES] == []
