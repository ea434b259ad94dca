"""Which timestamps are believed."""

from __future__ import annotations

import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.ros.images.pairing import StampGuard
from ros_images import SECOND, Stage

HOUR = 3600 * SECOND


def believed(*stamps_ns: int) -> list[int]:
    """The timestamps that are believed."""
    guard = StampGuard()
    return [stamp_ns for stamp_ns in stamps_ns if not guard.jump_ns(stamp_ns)]


def test_one_timestamp_an_hour_ahead_changes_nothing() -> None:
    assert believed(1 * SECOND, 2 * SECOND, HOUR, 3 * SECOND, 4 * SECOND) == [s * SECOND for s in (1, 2, 3, 4)]


def test_two_that_agree_are_a_new_time() -> None:
    assert believed(1 * SECOND, HOUR, HOUR + SECOND, HOUR + 2 * SECOND) == [SECOND, HOUR + SECOND, HOUR + 2 * SECOND]


def test_two_strays_that_do_not_agree_change_nothing() -> None:
    assert believed(1 * SECOND, HOUR, 5 * HOUR, 2 * SECOND) == [SECOND, 2 * SECOND]


def test_a_stray_that_was_forgotten_confirms_no_later_one() -> None:
    assert believed(SECOND, HOUR, 2 * SECOND, HOUR + SECOND, 3 * SECOND) == [SECOND, 2 * SECOND, 3 * SECOND]


def test_images_that_come_every_minute_are_used_but_for_each_second_one() -> None:
    assert believed(*(60 * number * SECOND for number in range(1, 7))) == [60 * n * SECOND for n in (1, 3, 5)]


def test_an_image_without_a_timestamp_changes_nothing() -> None:
    assert believed(HOUR, 0, HOUR + SECOND) == [HOUR, 0, HOUR + SECOND]


def test_a_jump_back_is_left_to_the_tracker() -> None:
    assert believed(HOUR, SECOND) == [HOUR, SECOND]


def test_an_image_with_a_stray_timestamp_reaches_no_worker_and_is_reported() -> None:
    stage = Stage()
    stage.show(SECOND, HOUR, 2 * SECOND)
    assert stage.stamps() == [SECOND, 2 * SECOND]
    assert len(stage.node.reported) == 1 and stage.node.reported[0].startswith(
        "timestamp on /robot/image must not jump ahead of the last, found 3599.0 s; this image waits for a second one")
