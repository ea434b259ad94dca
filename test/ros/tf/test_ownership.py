"""Who else publishes what this node publishes."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped

from cl_localization.ros.tf.lookup import RECENT_S, TfOwnership


def transform(parent: str, child: str, second: int) -> TransformStamped:
    """A transform at a stamp."""
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id, message.header.stamp = parent, Time(sec=second)
    return message


def test_another_owner_of_a_transform_is_seen_as_long_as_both_publish() -> None:
    now_s = [0.0]
    ownership = TfOwnership(lambda: now_s[0])
    ownership.note_heard(transform("map", "odom", 1))
    assert ownership.other == ""
    ownership.note_sent([transform("map", "odom", 2)])
    ownership.note_heard(transform("map", "odom", 2))
    ownership.note_heard(transform("odom", "base_link", 3))
    assert ownership.other == ""
    ownership.note_heard(transform("/slam_map", "/odom", 4))
    assert ownership.other == "slam_map -> odom"
    now_s[0] += RECENT_S + 1
    assert ownership.other == ""
    ownership.note_heard(transform("map", "odom", 5))
    assert ownership.other == ""
