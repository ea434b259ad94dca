"""Masks on a topic: which one an image gets, and that what they hide neither maps nor votes, over DDS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.msg import LocalizationStatus
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from cl_localization.errors import DataError
from cl_localization.ros import conversions
from cl_localization.ros.images.mask_topic import MaskTopic
from cl_localization.ros.nodes.localizer import LocalizerNode
from cl_localization.ros.nodes.mapper import MapperNode
from ros_images import SECOND, FakeNode
from ros_world import wait_until

WIDTH, HEIGHT = 64, 48


def mask_message(grey: int, stamp_ns: int = 0) -> Image:
    message = Image(width=WIDTH, height=HEIGHT, step=WIDTH, encoding="mono8", data=bytes([grey]) * (WIDTH * HEIGHT))
    message.header.stamp = conversions.time_message(stamp_ns)
    return message


def test_an_image_gets_the_mask_nearest_in_time_and_none_before_the_first() -> None:
    node = FakeNode()
    masks = MaskTopic(node, 10_000)
    assert masks.at(SECOND) is None
    for grey, stamp_ns in ((1, 0), (2, SECOND), (3, 2 * SECOND), (4, 2 * SECOND)):
        node.callbacks["~/mask"](mask_message(grey, stamp_ns))
    assert [int(masks.at(stamp_ns).max()) for stamp_ns in (0, SECOND + 1, 2 * SECOND, 9 * SECOND)] == [1, 2, 4, 4]


def test_a_mask_that_cannot_be_read_is_named() -> None:
    node = FakeNode()
    masks = MaskTopic(node, 100)
    node.callbacks["~/mask"](mask_message(0))
    with pytest.raises(DataError, match="mask must have 1 to 100 pixels"):
        masks.at(0)


def test_the_localizer_uses_nothing_that_a_latched_mask_hides_until_another_one_is_streamed(
        ros: Any, robot: Any, room_map: Path, frames: list[Any], capfd: pytest.CaptureFixture) -> None:
    ros.node.create_publisher(Image, "/localizer/mask", conversions.LATCHED).publish(mask_message(0))
    localizer = ros.start(LocalizerNode, map_file=str(room_map))
    wait_for_mask(localizer)
    statuses, hidden = ros.heard(LocalizationStatus, "/localizer/status"), list[int]()
    robot.show_until(frames, lambda: any("a mask hides all of it" in status.reason for status in statuses))
    hidden += [status.keypoints for status in statuses]
    streamed = ros.node.create_publisher(Image, "/localizer/mask", qos_profile_sensor_data)

    def is_seen_again() -> bool:
        streamed.publish(mask_message(255, max(robot.shown)))
        return any(status.reason == "ok" for status in statuses)

    robot.show_until(frames, is_seen_again)
    assert set(hidden) == {0}
    assert "New publisher discovered" not in capfd.readouterr().err  # that none of its messages will be received


def test_the_mapper_maps_nothing_that_a_mask_hides(ros: Any, robot: Any, frames: list[Any],
                                                   statuses: list[Any]) -> None:
    robot.send_poses()
    ros.node.create_publisher(Image, "/mapper/mask", conversions.LATCHED).publish(mask_message(0))
    wait_for_mask(ros.start(MapperNode, poses__source="pose"))
    robot.show_until(frames, lambda: statuses and statuses[-1].keyframes >= 2)
    assert {status.codes for status in statuses} == {0}


def wait_for_mask(node: Any) -> None:
    wait_until(lambda: node._images._reading.masks.at(0) is not None)
