"""Sequences as lists, and parts of them."""

import numpy as np
import pytest

from cl_localization.data import base_T_cam_of, frame_names, select
from cl_localization.data import sequence as sequence_module
from cl_localization.data.reading import ImageFileSequence
from cl_localization.errors import DataError
from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM
from data.makers import MadeSequence


def test_frames_are_had_by_index_from_both_ends_and_in_turn():
    sequence = MadeSequence(4)
    assert [frame.name for frame in sequence] == [f"made-{index}" for index in range(4)]
    assert sequence[-1].name == "made-3"
    assert np.array_equal(sequence.pose(2), sequence[2].world_T_cam)


@pytest.mark.parametrize("index", [4, -5])
def test_a_frame_outside_is_an_index_error(index):
    with pytest.raises(IndexError, match="sequence made, which has 4"):
        MadeSequence(4)[index]


def test_a_sequence_without_frames_is_refused_and_says_what_was_left_out():
    with pytest.raises(DataError,
                       match="sequence empty must have at least one usable frame, found 0 frames, 2 left out"):
        ImageFileSequence("empty", [], ["a", "b"])


def test_a_sequence_of_too_many_frames_is_refused(monkeypatch):
    monkeypatch.setattr(sequence_module, "MAX_FRAMES", 3)
    with pytest.raises(DataError, match="must not have more than 3 frames"):
        MadeSequence(4)


def test_selected_frames_keep_their_names_poses_and_order():
    part = select(MadeSequence(5), [3, 1])
    assert part.names == ["made-3", "made-1"]
    assert part[0].name == "made-3"
    assert np.array_equal(part.pose(1), MadeSequence(5).pose(1))


def test_a_selection_of_a_selection_counts_within_it():
    assert select(select(MadeSequence(5), [4, 2, 0]), [1]).names == ["made-2"]


@pytest.mark.parametrize("index", [5, -1])
def test_a_selected_index_outside_is_named(index):
    with pytest.raises(DataError, match=rf"must lie in \[0, 4\], found {index}"):
        select(MadeSequence(5), [index])


def test_names_are_counted_where_a_sequence_has_none():
    class Nameless:
        def __len__(self) -> int:
            return 2

    assert frame_names(Nameless()) == ["000000", "000001"]


def test_a_part_has_the_robot_of_the_whole():
    sequence = MadeSequence()
    assert base_T_cam_of(sequence) is FORWARD_BASE_T_CAM
    sequence.base_T_cam = np.diag([1.0, -1.0, -1.0, 1.0])
    assert np.array_equal(base_T_cam_of(select(sequence, [0])), sequence.base_T_cam)


def test_a_slice_is_a_sequence_of_its_frames_and_a_sequence_shows_what_it_is():
    sequence = MadeSequence(5)
    assert sequence[1:4].names == ["made-1", "made-2", "made-3"] and sequence[::2][1].name == "made-2"
    assert repr(sequence) == "<MadeSequence made: 5 frames, 0 left out>"
