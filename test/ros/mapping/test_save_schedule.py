"""When maps are saved: soon enough that a killed mapper loses no more than a period."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from cl_localization.ros.mapping.map_saver import SaveSchedule

PERIOD_S = 10.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0


def lost_at_most_s(took_s: list[float], first_s: float) -> float:
    """Run saves that take so long one after the other; return the longest time from a copy to the end of the next
    save."""
    clock, ends = Clock(), []
    schedule = SaveSchedule(PERIOD_S, lambda: clock.now_s)
    schedule.note_save(first_s)
    copied_s = None
    for save_s in took_s:
        while not schedule.is_due:
            clock.now_s += schedule.tick_s
        schedule.note_copy()
        before_s, copied_s = copied_s, clock.now_s
        clock.now_s += save_s
        schedule.note_save(save_s)
        if before_s is not None:
            ends.append(clock.now_s - before_s)
    return max(ends)


@given(st.floats(0.0, PERIOD_S), st.integers(2, 6))
def test_saves_that_take_up_to_half_a_period_end_within_a_period_of_the_copy_before_and_longer_ones_follow_at_once(
    took_s, count
) -> None:
    assert lost_at_most_s([took_s] * count, took_s) <= max(PERIOD_S, 2 * took_s) + 1e-6


@given(st.lists(st.floats(0.0, 4.0), min_size=2, max_size=8))
def test_a_save_that_takes_longer_than_those_before_exceeds_the_period_by_that_much_at_most(took_s) -> None:
    assert lost_at_most_s(took_s, max(took_s)) <= PERIOD_S + max(took_s)


def test_a_period_of_zero_is_never_due_and_a_save_that_takes_longer_than_it_is_always() -> None:
    assert not SaveSchedule(0.0).is_due
    slow = SaveSchedule(PERIOD_S)
    slow.note_save(2 * PERIOD_S)
    slow.note_copy()
    assert slow.is_due


def test_a_quick_save_after_a_slow_one_is_not_trusted_at_once() -> None:
    clock = Clock()
    schedule = SaveSchedule(PERIOD_S, lambda: clock.now_s)
    schedule.note_save(8.0)
    schedule.note_save(0.0)
    schedule.note_copy()
    clock.now_s += 5.0
    assert schedule.is_due
