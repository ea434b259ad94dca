"""What is sent to tf for trusted poses: stamps, repetition, smoothness, silence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

import itertools

from geometry_msgs.msg import TransformStamped

from cl_localization.geometry.robot_pose import RobotPose
from cl_localization.geometry.se3 import pose_error
from cl_localization.ros.conversions import matrix_of, stamp_ns
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.tf.lookup import Mounting
from cl_localization.ros.tf.map_tf import MapTf
from tracking_makers import SECOND, at

STAMP_NS, NOW_NS = 100 * SECOND, 100 * SECOND + SECOND // 5
TOLERANCE_NS = SECOND // 10
TICK_NS = SECOND // 20
BASE_T_CAM = at(0.1, 0, 90)
COVARIANCE = np.eye(6) * 1e-4


class Sent:
    """A MapTf and what it has sent."""

    def __init__(self) -> None:
        self.transforms: list[TransformStamped] = []
        self.map_tf = MapTf(LocalizerNodeConfig(), self.transforms.extend)

    def show(self, map_T_base: np.ndarray, odom_T_base: np.ndarray | None, at_once: bool = False, stamp: int = STAMP_NS,
             now: int = NOW_NS, child_frame: str = "odom") -> None:
        odom_T_cam = None if odom_T_base is None else odom_T_base @ BASE_T_CAM
        mounting = Mounting(child_frame, odom_T_cam, BASE_T_CAM)
        self.map_tf.show(RobotPose(map_T_base, COVARIANCE), mounting, at_once, stamp, now)

    @property
    def stamps_ns(self) -> list[int]:
        return [stamp_ns(transform.header.stamp) for transform in self.transforms]

    @property
    def last(self) -> np.ndarray:
        return matrix_of(self.transforms[-1].transform)


@pytest.fixture
def sent() -> Sent:
    return Sent()


def test_the_first_pose_holds_from_its_image_on_until_shortly_after_the_present(sent: Sent) -> None:
    sent.show(at(3, 2, 30), at(1), at_once=True)
    assert sent.stamps_ns == [STAMP_NS, NOW_NS + TOLERANCE_NS]
    for transform in sent.transforms:
        assert (transform.header.frame_id, transform.child_frame_id) == ("map", "odom")
        np.testing.assert_allclose(matrix_of(transform.transform) @ at(1), at(3, 2, 30), atol=1e-9)


def test_between_images_it_is_repeated_a_little_into_the_future(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    for i in range(1, 4):
        sent.map_tf.repeat(NOW_NS + i * TICK_NS)
    assert sent.stamps_ns[2:] == [NOW_NS + i * TICK_NS + TOLERANCE_NS for i in range(1, 4)]
    np.testing.assert_allclose(sent.last, at(2), atol=1e-9)


def test_stamps_only_grow_so_that_nobody_sees_the_past_change(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.map_tf.repeat(NOW_NS)
    sent.map_tf.repeat(NOW_NS - SECOND)
    sent.show(at(9), at(1), at_once=True, stamp=STAMP_NS + 1, now=NOW_NS)
    assert sent.stamps_ns == [STAMP_NS, NOW_NS + TOLERANCE_NS]


def test_while_tracking_the_correction_goes_smoothly_to_the_new_one(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.show(at(3.1), at(1), now=NOW_NS + TICK_NS)
    for i in range(2, 8):
        sent.map_tf.repeat(NOW_NS + i * TICK_NS)
    way = [matrix_of(transform.transform)[0, 3] for transform in sent.transforms[1:]]
    np.testing.assert_allclose(way, [2.0, 2.025, 2.05, 2.075, 2.1, 2.1, 2.1, 2.1], atol=1e-9)


def test_with_odometry_that_drifts_the_base_stays_smooth_and_near_the_truth(sent: Sent) -> None:
    """Ten metres a circle, odometry 3 % long and turned: the published base never steps more than the motion and the
    bound allow."""
    angles = np.arange(0, 6, 0.02)
    truth = [at(2 * np.sin(a), 2 - 2 * np.cos(a), np.rad2deg(a)) for a in angles]
    odom = [at(50 + 2.06 * np.sin(1.01 * a), 2.06 - 2.06 * np.cos(1.01 * a), np.rad2deg(1.01 * a)) for a in angles]
    shown = []
    for i, (map_T_base, odom_T_base) in enumerate(zip(truth, odom)):
        now = STAMP_NS + i * TICK_NS
        if i % 4 == 0:  # images five times a second, ticks twenty times
            sent.show(map_T_base, odom_T_base, at_once=i == 0, stamp=now - 1, now=now)
        else:
            sent.map_tf.repeat(now)
        shown.append(sent.last @ odom_T_base)
    steps = [pose_error(before, after)[0] for before, after in itertools.pairwise(shown)]
    errors = [pose_error(one, other) for one, other in zip(shown, truth)]
    assert max(steps) < 0.0412 * 1.02 + 0.5 * 0.05 and max(error[0] for error in errors) < 0.02
    assert max(error[1] for error in errors) < 0.5


def test_a_relocalized_robot_is_shown_at_its_new_place_at_once(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.show(at(8, 8, 180), at(1.1), at_once=True, stamp=STAMP_NS + SECOND, now=NOW_NS + SECOND)
    assert sent.stamps_ns[2:] == [STAMP_NS + SECOND, NOW_NS + SECOND + TOLERANCE_NS]
    np.testing.assert_allclose(sent.last @ at(1.1), at(8, 8, 180), atol=1e-9)


def test_silence_lasts_until_the_next_pose(sent: Sent) -> None:
    sent.map_tf.repeat(NOW_NS)
    assert sent.transforms == []
    sent.show(at(3), at(1), at_once=True)
    sent.map_tf.silence()
    sent.map_tf.repeat(NOW_NS + SECOND)
    assert len(sent.transforms) == 2
    sent.show(at(4), at(1), stamp=STAMP_NS + 2 * SECOND, now=NOW_NS + 2 * SECOND)
    np.testing.assert_allclose(sent.last, at(3), atol=1e-9)


def test_after_time_has_jumped_back_stamps_from_before_are_sent_again(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.map_tf.restart()
    sent.show(at(3), at(1), at_once=True, stamp=STAMP_NS - 50 * SECOND, now=NOW_NS - 50 * SECOND)
    assert sent.stamps_ns[2:] == [STAMP_NS - 50 * SECOND, NOW_NS - 50 * SECOND + TOLERANCE_NS]


@pytest.mark.parametrize("child_frame", ["base_link", "camera"])
def test_without_odometry_a_transform_has_its_image_s_stamp_and_is_not_repeated(sent: Sent, child_frame: str) -> None:
    for i, x_m in enumerate((3.0, 3.5)):
        sent.show(at(x_m), None, at_once=True, stamp=STAMP_NS + i, child_frame=child_frame)
        sent.map_tf.repeat(NOW_NS + SECOND)
        np.testing.assert_allclose(sent.last, at(x_m), atol=1e-9)
    assert sent.stamps_ns == [STAMP_NS, STAMP_NS + 1] and sent.transforms[0].child_frame_id == child_frame


def test_while_odometry_may_still_show_up_nothing_is_sent(sent: Sent) -> None:
    sent.show(at(3), None, at_once=True, child_frame="")
    assert sent.transforms == []


def test_an_image_without_odometry_keeps_the_correction_but_a_jump_silences_it(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.show(at(3.5), None)
    sent.map_tf.repeat(NOW_NS + TICK_NS)
    np.testing.assert_allclose(sent.last, at(2), atol=1e-9)
    sent.show(at(9), None, at_once=True)
    sent.map_tf.repeat(NOW_NS + 2 * TICK_NS)
    assert len(sent.transforms) == 3


def test_odometry_that_gets_another_parent_is_not_sent_the_last_correction_on(sent: Sent) -> None:
    sent.show(at(3), at(1), at_once=True)
    sent.show(at(3), at(1), child_frame="")
    sent.map_tf.repeat(NOW_NS + TICK_NS)
    assert len(sent.transforms) == 2


def test_live_values_hold_at_once(sent: Sent) -> None:
    sent.map_tf.config = replace(sent.map_tf.config, transform_tolerance_s=0.5)
    sent.show(at(3), at(1), at_once=True)
    assert sent.stamps_ns[-1] == NOW_NS + SECOND // 2
