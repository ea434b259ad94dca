"""Tracking as other nodes see it: states, reasons, tf and the pose of the base, with images and clocks that
misbehave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from cl_localization.srv import LoadMap
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage

from cl_localization.geometry.robot_pose import PLANAR_VARIANCE
from cl_localization.geometry.se3 import inverse, pose_error
from cl_localization.ros.conversions import matrix_of, stamp_ns
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.tf import tracking
from ros_robot import Robot
from ros_world import RosWorld, wait_until

LOST, RELOCALIZED, TRACKING = LocalizationStatus.LOST, LocalizationStatus.RELOCALIZED, LocalizationStatus.TRACKING
SECOND = 1_000_000_000
PATIENCE_S = 3.0
SLOW = {"tracker__lost_after_s": 5.0}
"""For machines that are so busy that a second passes between two images."""


class Heard:
    """What a localizer says."""

    def __init__(self, ros: RosWorld, name: str = "localizer") -> None:
        self.statuses = ros.heard(LocalizationStatus, f"/{name}/status", 100)
        self.poses = ros.heard(PoseWithCovarianceStamped, f"/{name}/pose", 100)
        self.base_poses = ros.heard(PoseWithCovarianceStamped, f"/{name}/base_pose", 100)
        self._tf = ros.heard(TFMessage, "/tf", 100)

    def corrections(self, child: str = "odom") -> list[Any]:
        """Return the transforms of a frame in the map."""
        return [transform for message in self._tf for transform in message.transforms
                if transform.header.frame_id == "map" and transform.child_frame_id == child]

    def states(self) -> list[int]:
        """Return the states so far."""
        return [status.state for status in self.statuses]

    def said(self, words: str) -> list[LocalizationStatus]:
        """Return the statuses whose decision has some words in it."""
        return [status for status in self.statuses if words in status.decision]


@pytest.fixture
def robot(ros: RosWorld, room: Any) -> Robot:
    """A robot in the room."""
    return Robot(ros, room)


@pytest.fixture
def heard(ros: RosWorld) -> Heard:
    """What the localizer says."""
    return Heard(ros)


@pytest.fixture
def start(ros: RosWorld, room_map: Path) -> Callable[..., LocalizerNode]:
    """Starts a localizer with the map of the room."""
    return lambda name="", **parameters: ros.start(LocalizerNode, name, map_file=str(room_map), **(SLOW | parameters))


def show_at(robot: Robot, frame: Any, stamp: int) -> None:
    """Publish a frame with a stamp of our choice."""
    robot.shown[stamp] = frame
    robot.outputs.publish(frame, stamp)


def answered(robot: Robot, heard: Heard, frame: Any, stamp: int, words: str = "") -> LocalizationStatus:
    """Publish a frame, again if it gets lost, until a new status of its stamp has come, with some words in its
    decision."""
    before, shown_s = len(heard.statuses), [0.0]

    def found() -> list[LocalizationStatus]:
        if time.monotonic() - shown_s[0] > PATIENCE_S:
            shown_s[0] = time.monotonic()
            show_at(robot, frame, stamp)
        return [status for status in heard.statuses[before:] if stamp_ns(status.header.stamp) == stamp
                and words in status.decision]

    return wait_until(found)[0]


def test_every_decision_is_in_the_status(robot: Robot, heard: Heard, frames: list, start) -> None:
    start()
    robot.show_until(frames, lambda: heard.states().count(TRACKING) >= 2)
    first = next(status for status in heard.statuses if status.state == RELOCALIZED)
    assert first.trusted and first.reason == "ok" and "overwhelming" in first.decision and first.agreeing == 1
    assert first.support > 100 and np.isnan(first.residual_m)
    following = [status for status in heard.statuses if status.state == TRACKING and status.trusted][-1]
    assert (
        following.has_odometry
        and following.decision.startswith("within the gate: ")
        and following.residual_m < 0.1
    )
    assert heard.statuses[0].decision in ("the node starts", first.decision)


def test_tf_can_be_used_now_and_is_repeated_between_images(robot: Robot, heard: Heard, frames: list, start) -> None:
    node = start()
    robot.show_until(frames, lambda: TRACKING in heard.states() and heard.corrections())
    wait_until(lambda: len(heard.corrections()) >= len(heard.poses) + 5)
    stamps = [stamp_ns(transform.header.stamp) for transform in heard.corrections()]
    assert stamps == sorted(set(stamps)) and stamps[-1] > max(robot.shown)
    assert (stamps[-1] - node.get_clock().now().nanoseconds) / SECOND <= node.config.transform_tolerance_s


def test_the_robot_on_tf_is_where_it_is_while_its_odometry_drifts(robot: Robot, heard: Heard, frames: list,
                                                                  start) -> None:
    start(smoothing__max_speed_m_s=10.0, smoothing__max_turn_deg_s=360.0)
    robot.show_until(frames, lambda: heard.states().count(TRACKING) >= 5)
    last = stamp_ns(heard.poses[-1].header.stamp)
    wait_until(lambda: stamp_ns(heard.corrections()[-1].header.stamp) > time.time_ns())
    frame = robot.shown[last]
    assert pose_error(matrix_of(heard.corrections()[-1].transform) @ frame.odom_T_cam, frame.world_T_cam)[0] < 0.15


def test_when_images_stop_it_is_lost_says_so_and_tf_falls_silent(robot: Robot, heard: Heard, frames: list,
                                                                 start) -> None:
    node = start(tracker__lost_after_s=0.6)
    robot.show_until(frames, heard.corrections)
    wait_until(lambda: heard.said("no new images; no trusted pose for"))
    assert heard.states()[-1] == LOST
    sent_ns = node._tracking._map_tf._sent_ns
    for _ in range(5):
        node._tracking._tick()
    assert node._tracking._map_tf._sent_ns == sent_ns


def test_without_images_it_rests_until_the_next(robot: Robot, heard: Heard, frames: list, start, monkeypatch) -> None:
    monkeypatch.setattr(tracking, "REST_AFTER_NS", 0)
    node = start(tracker__lost_after_s=0.6)
    robot.show_until(frames, heard.corrections)
    wait_until(node._tracking._timer.is_canceled)
    wait_until(lambda: heard.states()[-1] == LOST)  # it says so before it rests, but messages take their time
    before = len(heard.corrections())
    robot.show_until(frames, lambda: len(heard.corrections()) > before + 5)


def test_a_camera_that_repeats_its_last_stamp_has_stopped_too(robot: Robot, heard: Heard, frames: list, start) -> None:
    start(tracker__lost_after_s=0.6)
    robot.show_until(frames, heard.corrections)
    stuck = max(robot.shown)
    wait_until(lambda: show_at(robot, frames[0], stuck) or (
        heard.said("no new images") and heard.said("the timestamp is the same as that of the last image")))


def test_relocalize_is_lost_with_a_reason_until_the_next_pose(ros: RosWorld, robot: Robot, heard: Heard, frames: list,
                                                              start) -> None:
    start()
    robot.show_until(frames, lambda: TRACKING in heard.states())
    before = len(heard.statuses)
    assert ros.call(Trigger, "/localizer/relocalize").success
    assert wait_until(lambda: heard.said("the service relocalize was called"))[0].state == LOST
    robot.show_until(frames, lambda: RELOCALIZED in heard.states()[before:])


def test_another_map_is_a_new_start_and_the_same_one_is_not(ros: RosWorld, robot: Robot, heard: Heard, frames: list,
                                                            start, room_map: Path,
                                                            tmp_path: Path) -> None:
    from ros_robot import save_map_of

    start()
    robot.show_until(frames, lambda: TRACKING in heard.states())
    for path, said in ((room_map, False), (save_map_of(frames[:4], tmp_path / "other.safetensors"), True)):
        assert ros.call(LoadMap, "/localizer/load_map", LoadMap.Request(path=str(path))).success
        assert bool(heard.said("another map is used")) == said or wait_until(
            lambda: heard.said("another map is used"))


def test_images_out_of_order_again_and_without_stamp_are_refused_with_a_reason(robot: Robot, heard: Heard, frames: list,
                                                                               start) -> None:
    start()
    stamp = time.time_ns()
    for i in range(2):
        answered(robot, heard, frames[i], stamp + i * SECOND // 10)
    shown = len(heard.poses)
    for bad, words in ((stamp + SECOND // 10, "same as that of the last image"), (stamp, "older than the last one"),
                       (0, "has no timestamp")):
        status = answered(robot, heard, frames[5], bad, words)
        assert not status.trusted and status.state in (RELOCALIZED, TRACKING) and status.reason == status.decision
    assert len(heard.poses) == shown
    assert answered(robot, heard, frames[2], stamp + SECOND // 5).trusted


@pytest.mark.parametrize("clock", [False, True])
def test_a_bag_that_loops_goes_on_with_and_without_a_clock(ros: RosWorld, room: Any, heard: Heard, frames: list, start,
                                                           clock: bool) -> None:
    robot = Robot(ros, room, clock=clock)
    start(use_sim_time=clock)
    for loop in range(2):
        for i, frame in enumerate(frames[:4]):
            status = answered(robot, heard, frame, 1000 * SECOND + i * SECOND // 2,
                              "time jumped back" if loop and not i else "")
            assert status.has_odometry or not loop
    again = heard.said("time jumped back: tracking restarts")
    assert (
        again
        and heard.statuses[-1].trusted
        and heard.statuses[-1].state == TRACKING
        and heard.statuses[-1].has_odometry
    )
    assert 1000 * SECOND <= stamp_ns(heard.corrections()[-1].header.stamp) < 1030 * SECOND


def test_a_kidnapped_robot_is_known_again_at_its_new_place(robot: Robot, heard: Heard, frames: list, start) -> None:
    start(tracker__lost_after_s=60.0)  # nor is it lost in between on a busy machine
    here = frames[:3]
    robot.show_until(here, lambda: TRACKING in heard.states())
    there = replace(frames[len(frames) // 2], odom_T_cam=here[-1].odom_T_cam)  # it knows nothing of the carrying

    def known_again() -> list[LocalizationStatus]:
        return [status for status in heard.statuses if status.state == RELOCALIZED
                and robot.shown.get(stamp_ns(status.header.stamp)) is there]

    robot.show_until([there], known_again)
    new, carried_m = known_again()[0], min(pose_error(frame.world_T_cam, there.world_T_cam)[0] for frame in here)
    assert "2 poses agree; outside the gate:" in new.decision and new.residual_m > carried_m - 0.1 > 0.2
    assert pose_error(matrix_of(heard.poses[-1].pose.pose),
                      robot.shown[stamp_ns(heard.poses[-1].header.stamp)].world_T_cam)[0] < 0.1


@pytest.mark.parametrize("two_d", [False, True])
def test_the_base_has_a_pose_and_covariance_of_its_own(robot: Robot, heard: Heard, frames: list, room: Any, start,
                                                       two_d: bool) -> None:
    start(two_d=two_d)
    robot.show_until(frames, lambda: len(heard.base_poses) >= 3)
    message = heard.base_poses[-1]
    map_T_base = matrix_of(message.pose.pose)
    truth = robot.shown[stamp_ns(message.header.stamp)].world_T_cam @ inverse(room.base_T_cam)
    assert pose_error(map_T_base, truth)[0] < 0.1 and message.header.frame_id == "map"
    covariance = message.pose.covariance.reshape(6, 6)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    flat = np.allclose(map_T_base[2], [0, 0, 1, 0], atol=1e-12)
    assert flat == two_d and (covariance[2, 2] == PLANAR_VARIANCE) == two_d


def test_two_localizers_of_one_robot_share_tf_when_one_of_them_publishes_it(ros: RosWorld, robot: Robot, frames: list,
                                                                            start) -> None:
    front, rear = Heard(ros, "front"), Heard(ros, "rear")
    start("front")
    silent = start("rear", publish_tf=False)
    robot.show_until(frames, lambda: len(front.poses) >= 2 and len(rear.base_poses) >= 2 and front.corrections())
    stamps = [stamp_ns(transform.header.stamp) for transform in front.corrections()]
    assert stamps == sorted(set(stamps)) and not silent._tracking._map_tf._sent_ns
    assert silent.set_parameters([Parameter("publish_tf", value=True)])[0].successful
    robot.show_until(frames, lambda: silent._tracking._map_tf._sent_ns)


def test_a_camera_without_a_robot_gets_map_to_the_frame_above_it(ros: RosWorld, room: Any, heard: Heard, frames: list,
                                                                 start) -> None:
    robot = Robot(ros, room, odometry=False, base_frame="cart")
    start(frames__odom="", two_d=False)
    robot.show_until(frames, lambda: len(heard.corrections("cart")) >= 2)
    for transform in heard.corrections("cart"):
        truth = robot.shown[stamp_ns(transform.header.stamp)].world_T_cam
        assert pose_error(matrix_of(transform.transform) @ room.base_T_cam, truth)[0] < 0.1
    assert heard.base_poses == []


def test_two_d_without_a_mounting_is_reported_and_nothing_is_sent(ros: RosWorld, room: Any, heard: Heard, frames: list,
                                                                  start,
                                                                  capfd: pytest.CaptureFixture) -> None:
    robot = Robot(ros, room, odometry=False, base_frame="cart")
    start(frames__odom="", two_d=True)
    robot.show_until(frames, lambda: len(heard.poses) >= 2)
    assert "tf frame base_link must be connected to the camera for two_d" in capfd.readouterr().err
    assert heard.corrections("camera_optical_frame") == []


def test_images_that_come_three_seconds_late_still_give_a_transform_of_now(robot: Robot, heard: Heard, frames: list,
                                                                           start) -> None:
    start(smoothing__max_speed_m_s=10.0)
    show, robot.shown = robot.outputs.publish, {}
    robot.outputs.publish = lambda frame, stamp: show(frame, stamp - 3 * SECOND)
    robot.show_until(frames, lambda: heard.states().count(TRACKING) >= 3)
    wait_until(lambda: stamp_ns(heard.corrections()[-1].header.stamp) > time.time_ns() - SECOND // 2)
