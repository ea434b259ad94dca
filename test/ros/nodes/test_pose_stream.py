"""Every image gets a pose: by flow while an image is localized fully, which the test makes last as long as it likes."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from sensor_msgs.msg import Image
from std_srvs.srv import Trigger

from cl_localization.data.frame import Frame
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.result import Localization
from cl_localization.ros import conversions
from cl_localization.ros.map_topic.map_in_use import MapInUse
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.localizer_outputs import LocalizerOutputs
from ros_robot import Robot
from ros_world import WAIT_S, RosWorld, wait_until

LOST, RELOCALIZED, TRACKING = LocalizationStatus.LOST, LocalizationStatus.RELOCALIZED, LocalizationStatus.TRACKING
PERIOD_NS = 20_000_000
PATIENT = {"tracker__lost_after_s": 60.0, "flow__period_s": 0.0}


class Gate:
    """Holds full localizations while it is closed, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        self.begun = 0
        localize = MapInUse.localize

        def held(used: MapInUse, frame: Frame) -> Localization:
            self.begun += 1
            assert self.open.wait(WAIT_S)
            return localize(used, frame)

        monkeypatch.setattr(MapInUse, "localize", held)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A gate, opened at the end so that the node can stop."""
    made = Gate(monkeypatch)
    yield made
    made.open.set()


class SteadyRobot(Robot):
    """A robot whose images have stamps 20 ms apart, however long a busy machine takes to show them."""

    def show(self, frame: Any) -> int:
        """Publish a frame and return its stamp in nanoseconds."""
        stamp_ns = max(self.shown, default=time.time_ns()) + PERIOD_NS
        self.shown[stamp_ns] = frame
        self.outputs.publish(frame, stamp_ns)
        return stamp_ns

    def damage_images(self) -> None:
        """Publish images that cannot be read from now on."""
        convert = self.outputs._convert

        def damaged(image: np.ndarray) -> Image:
            message = convert(image)
            message.encoding = "nv24"
            return message

        self.outputs._convert = damaged


@pytest.fixture
def robot(ros: RosWorld, room: Any) -> SteadyRobot:
    """A robot in the room."""
    return SteadyRobot(ros, room)


@pytest.fixture
def slow_frames(room: Any) -> list[Frame]:
    """Images of a robot that hardly moves: the same one, shown again and again."""
    return [room[0]]


def carried(statuses: list[LocalizationStatus]) -> list[LocalizationStatus]:
    """Return the statuses of poses that flow carried."""
    return [status for status in statuses if status.trusted and "carried by flow" in status.decision]


def start_tracking(ros: RosWorld, robot: Robot, room_map: Path, frames: list, **parameters: Any) -> list:
    """Start a localizer, show frames until it tracks, and return its statuses."""
    statuses = ros.heard(LocalizationStatus, "/localizer/status", 100)
    ros.start(LocalizerNode, map_file=str(room_map), **(PATIENT | parameters))
    robot.show_until(frames, lambda: any(status.state == TRACKING for status in statuses))
    return statuses


def test_images_get_poses_while_another_is_localized_fully(ros, robot, room_map, slow_frames, gate) -> None:
    poses = ros.heard(PoseWithCovarianceStamped, "/localizer/pose", 100)
    statuses = start_tracking(ros, robot, room_map, slow_frames)
    gate.open.clear()
    before, begun = len(poses), gate.begun
    robot.show_until(slow_frames, lambda: len(poses) >= before + 8)
    assert gate.begun <= begun + 1
    for message in poses[before:]:
        truth = robot.shown[conversions.stamp_ns(message.header.stamp)].world_T_cam
        assert pose_error(conversions.matrix_of(message.pose.pose), truth)[0] < 0.1
    stamps = [conversions.stamp_ns(message.header.stamp) for message in poses]
    assert stamps == sorted(set(stamps))
    status = carried(statuses)[-1]
    assert status.state == TRACKING and status.inliers >= 30 and status.codes > 1000 and status.support > 25


def test_images_whose_poses_flow_carries_end_what_diagnostics_say_of_refused_ones(ros, robot, room_map, slow_frames,
                                                                                  gate) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames)
    begun, refusals = gate.begun, ros.nodes[-1]._diagnostics.refusals
    gate.open.clear()
    robot.show_until(slow_frames, lambda: gate.begun > begun)
    refusals.refuse("damaged")
    before = len(carried(statuses))
    robot.show_until(slow_frames, lambda: len(carried(statuses)) > before + 1)
    assert refusals.problem == ""


def test_a_full_localization_that_took_long_is_judged_when_it_is_done(ros, robot, room_map, slow_frames, gate) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames)
    gate.open.clear()
    robot.show_until(slow_frames, lambda: len(carried(statuses)) >= 12)
    ages_s = [float(status.decision.split("flow for ")[1].split()[0]) for status in carried(statuses)[-5:]]
    assert ages_s == sorted(ages_s)
    gate.open.set()
    robot.show_until(slow_frames, lambda: "carried by flow" not in statuses[-1].decision and statuses[-1].trusted)


def test_without_full_localizations_the_track_is_lost_though_flow_goes_on(ros, robot, room_map, slow_frames,
                                                                          gate) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames, tracker__lost_after_s=0.5)
    gate.open.clear()
    robot.show_until(slow_frames, lambda: statuses[-1].state == LOST)
    assert "no trusted pose for 0." in statuses[-1].decision
    gate.open.set()
    robot.show_until(slow_frames, lambda: statuses[-1].state == TRACKING)


def test_relocalize_forgets_the_pose_that_is_carried(ros, robot, room_map, slow_frames, gate) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames)
    gate.open.clear()
    robot.show_until(slow_frames, lambda: carried(statuses))
    before = len(statuses)
    assert ros.call(Trigger, "/localizer/relocalize").success
    wait_until(lambda: any(status.state == LOST for status in statuses[before:]))
    gate.open.set()
    robot.show_until(slow_frames, lambda: statuses[-1].trusted)
    since_lost = statuses[[status.state for status in statuses[before:]].index(LOST) + before:]
    assert next(status for status in since_lost if status.trusted).state == RELOCALIZED


def test_without_flow_every_pose_is_a_full_localization(ros, robot, room_map, slow_frames) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames, flow__enabled=False)
    robot.show_until(slow_frames, lambda: sum(status.trusted for status in statuses) >= 5)
    assert carried(statuses) == []


def test_a_damaged_image_does_not_spoil_the_older_one_that_is_being_localized(ros, robot, room_map, slow_frames,
                                                                              gate) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status", 100)
    ros.start(LocalizerNode, map_file=str(room_map), **PATIENT)
    gate.open.clear()
    robot.show_until(slow_frames, lambda: gate.begun)
    robot.damage_images()
    robot.show_until(slow_frames, lambda: any("encoding of image" in status.decision for status in statuses))
    gate.open.set()
    wait_until(lambda: any(status.trusted for status in statuses))


def test_damaged_images_do_not_keep_a_track_alive(ros, robot, room_map, slow_frames) -> None:
    statuses = start_tracking(ros, robot, room_map, slow_frames, tracker__lost_after_s=1.0)
    robot.damage_images()
    robot.show_until(slow_frames, lambda: statuses[-1].state == LOST)
    lost = next(status for status in statuses if "no trusted pose for" in status.decision)
    assert lost.state == LOST and "; encoding of image" in lost.decision


def test_an_error_after_a_full_localization_is_reported_and_counted(ros, robot, room_map, slow_frames, monkeypatch,
                                                                    capfd) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr(LocalizerOutputs, "publish", fail)
    node = ros.start(LocalizerNode, map_file=str(room_map), flow__enabled=False)
    robot.show_until(slow_frames, lambda: node._diagnostics.refusals.refused)
    assert "no publisher" in capfd.readouterr().err


def test_a_full_localization_whose_result_nobody_takes_is_followed_by_another(ros, robot, room_map, slow_frames,
                                                                              gate) -> None:
    statuses = ros.heard(LocalizationStatus, "/localizer/status", 100)
    node = ros.start(LocalizerNode, map_file=str(room_map), **PATIENT)
    robot.show_until(slow_frames, lambda: carried(statuses))
    node._stream.light_worker._max_tasks, begun = 0, gate.begun
    robot.show_until(slow_frames, lambda: gate.begun >= begun + 3)


def test_diagnostics_count_what_was_localized_and_what_was_carried(ros, robot, room_map, slow_frames) -> None:
    arrays = ros.heard(DiagnosticArray, "/diagnostics", 100)
    statuses = start_tracking(ros, robot, room_map, slow_frames, diagnostics_period_s=0.1)

    def counts() -> dict[str, int]:
        values = {value.key: value.value for array in arrays[-1:] for value in array.status[0].values}
        return {name: int(values.get(name, 0)) for name in ("processed", "localized fully", "carried by flow")}

    robot.show_until(slow_frames, lambda: counts()["carried by flow"] >= 3)
    assert counts()["localized fully"] >= 1 and counts()["processed"] >= counts()["carried by flow"]
    assert max(status.frames_processed for status in statuses) >= 3
    assert np.isfinite([status.latency_ms for status in statuses if status.trusted]).all()
