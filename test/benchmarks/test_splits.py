from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.splits import every, far, frame_number, near, split_indices
from cl_localization.errors import DataError


def test_near_leaves_every_fourth_stretch_of_fifty_to_the_queries() -> None:
    assert [near(number) for number in (0, 149, 150, 199, 200, 350)] == [True, True, False, False, True, False]


def test_far_maps_the_first_four_hundred() -> None:
    assert far(399) and not far(400)


def test_every_fifth_photo_is_a_query_between_mapped_ones() -> None:
    assert [number for number in range(10) if not every(5)(number)] == [2, 7]


def test_the_number_of_a_frame_is_the_last_in_its_name() -> None:
    assert frame_number("seq-01/frame-000042.color.jpg") == 42


def test_a_name_without_a_number_is_an_error() -> None:
    with pytest.raises(DataError, match="must have a number in its name"):
        frame_number("kitchen.jpg")


@pytest.mark.parametrize("numbers", [[1, 2], [400, 500]])
def test_a_split_with_an_empty_part_is_an_error(numbers: list[int]) -> None:
    with pytest.raises(DataError, match="must leave frames to map and frames to ask for"):
        split_indices(numbers, far)


@given(st.sets(st.integers(0, 1000), min_size=300))
def test_the_two_parts_of_a_split_are_all_of_it_and_share_nothing(numbers: set[int]) -> None:
    mapped, queries = split_indices(sorted(numbers), every(7))
    assert sorted(mapped + queries) == list(range(len(numbers)))


def test_the_development_kitchen_splits_as_its_notes_say(kitchen_folder) -> None:
    numbers = sorted(frame_number(path.name.split(".")[0]) for path in kitchen_folder.glob("*.color.*"))
    mapped, queries = split_indices(numbers, near)
    assert (len(mapped), len(queries)) == (225, 75)
