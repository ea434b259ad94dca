"""The guarded tf buffer: stamps that cannot be, time that goes back, frames without end."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.time import Time

from cl_localization.ros.tf.buffer import FORGOTTEN_S, MAX_FRAMES, GuardedBuffer


def put(buffer: GuardedBuffer, second: int, x_m: float = 0.0, child: str = "base", static: bool = False) -> None:
    """Hand in odom -> child at a stamp."""
    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id, transform.header.stamp = "odom", TimeMessage(sec=second)
    transform.transform.translation.x = x_m
    (buffer.set_transform_static if static else buffer.set_transform)(transform, "test")


def x_at(buffer: GuardedBuffer, second: int, child: str = "base") -> float | None:
    """Where the child is, None if tf does not know."""
    stamp = Time(seconds=second)
    if not buffer.can_transform("odom", child, stamp):
        return None
    return buffer.lookup_transform("odom", child, stamp).transform.translation.x


@pytest.mark.parametrize("outlier", [2**31 - 1, 0, -5])
def test_one_stamp_of_another_year_changes_nothing(outlier: int) -> None:
    buffer = GuardedBuffer()
    for second in range(100, 104):
        put(buffer, second, float(second))
    put(buffer, outlier, 1e3)
    put(buffer, 104, 104.0)
    assert [x_at(buffer, second) for second in (100, 103, 104)] == [100.0, 103.0, 104.0]


def test_after_a_jump_back_the_second_transform_is_accepted_and_earlier_ones_are_removed() -> None:
    buffer = GuardedBuffer()
    put(buffer, 0, 7.0, "mounted", static=True)
    for second in (1000, 1001, 3, 4, 5):
        put(buffer, second, float(second))
    assert [x_at(buffer, second) for second in (1001, 4, 5)] == [None, 4.0, 5.0]
    assert x_at(buffer, 5, "mounted") == 7.0


def test_after_a_jump_back_of_one_frame_others_are_accepted_at_once_whatever_they_said_before() -> None:
    buffer = GuardedBuffer()
    put(buffer, 1000, child="arm")
    put(buffer, 3, child="arm")  # not confirmed yet
    for second in (1000, 1001, 50, 51):
        put(buffer, second)
    put(buffer, 52, 7.0, "arm")
    assert x_at(buffer, 52, "arm") == 7.0
    put(buffer, 3, 3.0, "arm")
    assert x_at(buffer, 52, "arm") == 7.0 and x_at(buffer, 51) is not None


def test_a_buffer_that_is_cleared_knows_nothing_and_takes_what_comes() -> None:
    buffer = GuardedBuffer()
    put(buffer, 1000)
    put(buffer, 0, 7.0, "mounted", static=True)
    buffer.clear()
    assert x_at(buffer, 1000) is None and x_at(buffer, 5, "mounted") == 7.0
    put(buffer, 3, 3.0)
    assert x_at(buffer, 3) == 3.0


@pytest.mark.parametrize("before, after", [((1, 2, 3, 4, 5), (1,)), ((1, 2, 3, 4, 5), (1, 2)), ((1000, 1001), (3,)),
                                           ((1000, 1001), (3, 4))])
def test_what_came_since_a_jump_back_of_its_frame_stays_when_the_image_that_jumps_with_it_clears_the_buffer(
        before: tuple[int, ...], after: tuple[int, ...]) -> None:
    buffer = GuardedBuffer()
    for second in before:
        put(buffer, second)
        put(buffer, second, child="arm")
    for second in after:
        put(buffer, second, 7.0)
    buffer.clear()
    assert [x_at(buffer, second) for second in (*after, before[-1])] == [7.0] * len(after) + [None]
    assert x_at(buffer, before[-1], "arm") is None


def test_what_came_long_after_a_jump_back_does_not_stay_when_the_buffer_is_cleared() -> None:
    buffer = GuardedBuffer()
    for second in (1, 5, 1, 2, 3, 4):
        put(buffer, second)
    buffer.clear()
    assert [x_at(buffer, second) for second in (1, 2, 3, 4)] == [None] * 4


def test_after_a_jump_ahead_the_second_transform_is_accepted() -> None:
    buffer = GuardedBuffer()
    for second in (10, 1000, 1001):
        put(buffer, second, float(second))
    assert x_at(buffer, 1001) == 1001.0


def test_an_infinite_place_is_ignored() -> None:
    buffer = GuardedBuffer()
    put(buffer, 1, math.inf)
    put(buffer, 1, math.inf, "mounted", static=True)
    assert x_at(buffer, 1) is None and x_at(buffer, 1, "mounted") is None


@pytest.mark.parametrize("child", ["", "odom", "x" * 10_000])
def test_frames_without_a_name_of_their_own_are_ignored(child: str) -> None:
    buffer = GuardedBuffer()
    put(buffer, 1, child=child)
    assert not buffer._frames


def test_more_frames_than_any_robot_has_are_ignored_and_known_ones_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_localization.ros.tf.buffer.MAX_FRAMES", 20)
    buffer = GuardedBuffer()
    put(buffer, 1)
    for number in range(100):
        put(buffer, 1, child=f"frame{number}")
        put(buffer, 1, child=f"fixed{number}", static=True)
    put(buffer, 2, 2.0)
    assert x_at(buffer, 2) == 2.0 and x_at(buffer, 1, "frame99") is None and len(buffer._frames) == 20 < MAX_FRAMES


def test_a_parent_that_is_heard_of_no_more_is_none_unless_it_is_static() -> None:
    now_s = [100.0]
    buffer = GuardedBuffer(lambda: now_s[0])
    put(buffer, 1)
    put(buffer, 1, child="mounted", static=True)
    assert buffer.parents == {"base": "odom", "mounted": "odom"}
    now_s[0] += FORGOTTEN_S + 1
    assert buffer.parents == {"mounted": "odom"}
