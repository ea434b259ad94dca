"""Messages that belong together are found by their stamps, whatever else comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cl_localization.ros.images.pairing import Pairing

SLOP = 20


def paired(messages: list[tuple[int, int]], topics: int = 2, queue_size: int = 10) -> list[tuple[str, ...]]:
    """What is handed over of messages given as (topic, stamp), each named by both."""
    sets: list[tuple[str, ...]] = []
    pairing = Pairing(topics, SLOP, queue_size, lambda *found: sets.append(found))
    for topic, stamp in messages:
        pairing.add(topic, stamp, f"{'abc'[topic]}{stamp}")
    return sets


def test_messages_of_one_stamp_are_a_set_in_whatever_order_they_come() -> None:
    assert paired([(0, 100), (1, 100), (1, 200), (0, 200)]) == [("a100", "b100"), ("a200", "b200")]
    assert paired([(2, 5), (0, 5), (1, 5)], topics=3) == [("a5", "b5", "c5")]


def test_the_nearest_within_the_slop_is_taken_and_what_lies_beyond_is_not() -> None:
    assert paired([(1, 100), (1, 115), (0, 112)]) == [("a112", "b115")]
    assert paired([(1, 100), (0, 120)]) == []


def test_a_message_is_handed_over_once() -> None:
    assert paired([(0, 100), (1, 100), (1, 100), (0, 100), (0, 100)]) == [("a100", "b100"), ("a100", "b100")]


def test_messages_of_another_year_do_not_keep_the_place_of_those_that_come_after_them() -> None:
    garbage = [(0, 10**18 + 1000 * number) for number in range(50)] + [(1, 10**18 + 500 + 1000 * number)
                                                                       for number in range(50)]
    assert paired([*garbage, (0, 100), (1, 100)]) == [("a100", "b100")]


def test_after_a_jump_back_sets_are_found_at_once() -> None:
    waiting = [(0, 5000 + number * 100) for number in range(10)]
    assert paired([*waiting, (1, 0), (0, 0), (1, 100), (0, 100)]) == [("a0", "b0"), ("a100", "b100")]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 10**6)), max_size=200), st.integers(1, 5))
def test_what_waits_is_bounded_and_no_set_is_wider_than_twice_the_slop(messages, queue_size) -> None:
    sets: list[tuple[int, ...]] = []
    pairing = Pairing(3, SLOP, queue_size, lambda *found: sets.append(found))
    for topic, stamp in messages:
        pairing.add(topic, stamp, stamp)
    assert all(len(waiting) <= queue_size for waiting in pairing._waiting)
    assert all(max(found) - min(found) < 2 * SLOP for found in sets)
