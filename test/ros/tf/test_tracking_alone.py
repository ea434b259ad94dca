"""Tracking without a node around it: what it sends to tf after time has gone back, and after it was told not to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time
from sensor_msgs.msg import Image

from cl_localization.errors import RosError
from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.tf.lookup import Mounting
from cl_localization.ros.tf.tracking import Tracking
from tracking_makers import PERIOD_NS, SECOND, START_NS, at, found

OVERWHELMING = 500.0


class Stage:
    """A node, a tf, and what is sent to it."""

    def __init__(self) -> None:
        self.config, self.sent = LocalizerNodeConfig(), list[TransformStamped]()
        clock = SimpleNamespace(now=lambda: Time(nanoseconds=START_NS), ros_time_is_active=False)
        self.get_clock = lambda: clock
        self.tf_cleared, self.reported = 0, list[Exception]()
        self.report = self.reported.append
        self.tf = SimpleNamespace(lookup=None, send=self.sent.extend, clear=self._clear_tf)
        self.tracking = Tracking(self, self.tf, lambda track, stamp_ns: None)
        self.tracking.start()

    def every(self, period_s: float, tick: Callable[[], None]) -> Any:
        """Take what a node would call periodically; the test calls it."""
        self.tick = tick
        return SimpleNamespace(is_canceled=lambda: False)

    def _clear_tf(self) -> None:
        self.tf_cleared += 1

    def show(self, stamp: int) -> Any:
        """Give it an image with a pose that is unambiguous, and return what it decides."""
        self.tracking.observe_arrival(SimpleNamespace(stamp_ns=stamp))
        return self.tracking.track(found(at(0), stamp, OVERWHELMING), Mounting("odom", at(0), at(0)))

    def publish_tf(self, publish: bool) -> None:
        """Set the parameter."""
        self.config = replace(self.config, publish_tf=publish)
        self.tracking.use(self.config)


def test_when_a_bag_has_begun_anew_the_transform_has_the_stamps_of_its_images_again() -> None:
    stage = Stage()
    assert stage.show(START_NS).trusted
    assert stage.show(START_NS - 500 * SECOND).trusted
    assert abs(stamp_ns(stage.sent[-1].header.stamp) - (START_NS - 500 * SECOND)) < SECOND


def test_tf_of_the_time_before_is_forgotten_when_a_bag_begins_anew_and_only_then() -> None:
    stage = Stage()
    for stamp in (START_NS, START_NS + PERIOD_NS, START_NS + PERIOD_NS, START_NS):
        stage.show(stamp)
    assert stage.tf_cleared == 0
    for stamp in (START_NS - 500 * SECOND, START_NS - 500 * SECOND + PERIOD_NS):  # both before one is judged
        stage.tracking.observe_arrival(SimpleNamespace(stamp_ns=stamp))
    assert stage.tf_cleared == 1


def test_missing_odometry_is_reported_but_not_of_an_image_from_before_a_jump_back_that_has_removed_it() -> None:
    stage, before = Stage(), SimpleNamespace(stamp_ns=START_NS, camera_frame="camera", image=Image())
    stage.tracking._frames = SimpleNamespace(at=lambda *_: Mounting("odom", problem=RosError("tf", "must arrive")))
    stage.show(START_NS)
    stage.tracking.mounting(before)
    assert len(stage.reported) == 1 and stage.tracking.problem
    stage.tracking.observe_arrival(SimpleNamespace(stamp_ns=START_NS - 2 * SECOND))
    stage.tracking.mounting(before)
    assert len(stage.reported) == 1 and not stage.tracking.problem


def test_who_is_to_publish_again_waits_for_a_pose_instead_of_repeating_an_old_one() -> None:
    stage = Stage()
    stage.show(START_NS)
    stage.publish_tf(False)
    assert stage.show(START_NS + PERIOD_NS).trusted
    stage.publish_tf(True)
    before = len(stage.sent)
    stage.tick()
    assert len(stage.sent) == before
    stage.show(START_NS + 2 * PERIOD_NS)
    assert len(stage.sent) > before
