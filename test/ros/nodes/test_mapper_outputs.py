"""What the mapper shows of its map: once per version, and only to those who look."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from rclpy.time import Time
from sensor_msgs.msg import Image

from cl_localization.map.map_code import MapCode
from cl_localization.mapping.mapping_result import MappingResult
from cl_localization.ros.mapping.given_poses import Learned
from cl_localization.ros.nodes.config import MapperNodeConfig
from cl_localization.ros.nodes.mapper_outputs import MapperOutputs
from cl_localization.ros.nodes.status_messages import Counts
from map_makers import empty_map


class Publisher:
    """Takes messages for so many subscribers."""

    def __init__(self) -> None:
        self.subscribers, self.sent = 0, list[Any]()

    def publish(self, message: Any) -> None:
        """Take a message."""
        self.sent.append(message)

    def get_subscription_count(self) -> int:
        """Return how many listen."""
        return self.subscribers


class Shown:
    """The outputs of a mapper, shown a map when the test says so."""

    def __init__(self) -> None:
        self.publishers: dict[str, Publisher] = {}
        self.config, self.active = MapperNodeConfig(), ExitStack()
        self.periodic, self.told = list[Callable[[], Any]](), list[str]()
        self.outputs = MapperOutputs(self)
        self.codes, self.keyframes = self.publishers["~/codes"], self.publishers["~/keyframes"]
        self.map_code = empty_map()
        self.use(self.map_code)
        self.outputs.start(lambda task: task())

    def publisher(self, message_type: type, topic: str, qos: Any = 10) -> Publisher:
        """Return the publisher of a topic."""
        return self.publishers.setdefault(topic, Publisher())

    def every(self, period_s: float, callback: Callable[[], Any]) -> None:
        """Take what a node would call periodically."""
        self.periodic.append(callback)

    def get_clock(self) -> Any:
        """Return a clock that stands still."""
        return SimpleNamespace(now=lambda: Time(seconds=5))

    def get_logger(self) -> Any:
        """Return a logger whose lines the test reads."""
        return SimpleNamespace(info=self.told.append)

    def learn(self) -> None:
        """Learn a keyframe, and say so."""
        self.map_code.add_keyframe(np.eye(4), 1, self.map_code.scene_number("scene"))
        result = MappingResult(True, "new view", 0, 0, 0, 1, self.map_code.version, 0.1)
        self.outputs.publish_status(SimpleNamespace(image=Image()), Learned("new view", result=result), True, Counts(),
                                    ())

    def use(self, map_code: MapCode) -> None:
        """Publish a map from now on."""
        self.outputs.use(SimpleNamespace(map_code=map_code, made=map_code))

    def sent(self, listening: bool) -> int:
        """Return how often points and keyframes are sent in one period, while somebody listens to the points or not."""
        self.codes.subscribers, before = int(listening), len(self.codes.sent)
        for task in self.periodic:
            task()
        assert len(self.codes.sent) == len(self.keyframes.sent)
        return len(self.codes.sent) - before


def test_a_map_is_shown_once_per_version() -> None:
    shown = Shown()
    assert [shown.sent(True), shown.sent(True)] == [1, 0]
    shown.map_code.add_keyframe(np.eye(4), 1, shown.map_code.scene_number("scene"))
    assert [shown.sent(True), shown.sent(True)] == [1, 0]
    assert len(shown.keyframes.sent[-1].poses) == 1 and shown.codes.sent[-1].header.frame_id == "map"


def test_nothing_is_shown_to_nobody_and_all_to_who_comes_after_that() -> None:
    shown = Shown()
    assert [shown.sent(listening) for listening in (False, True, False, True)] == [0, 1, 0, 1]


def test_another_map_of_the_same_version_is_shown() -> None:
    shown = Shown()
    shown.sent(True)
    other = empty_map()
    assert other.version == shown.map_code.version and other.map_id != shown.map_code.map_id
    shown.use(other)
    assert shown.sent(True) == 1


def test_the_first_keyframe_of_a_run_is_told_of_as_that_also_in_a_map_that_has_some() -> None:
    shown = Shown()
    shown.map_code.add_keyframe(np.eye(4), 1, shown.map_code.scene_number("scene"))
    shown.learn()
    shown.learn()
    assert shown.told == ["first keyframe of this run: 0 codes in the map"]
