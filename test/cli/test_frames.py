from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from cl_localization.cli.frames import prefetched, require_codes, require_poses, require_readable
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from evaluation_fakes import FakeSequence


def test_frames_come_in_order_and_one_is_read_ahead() -> None:
    sequence = FakeSequence(4)
    frames = prefetched(sequence, range(4), [])
    assert next(frames).stamp_ns == 0
    assert [frame.stamp_ns for frame in frames] == [1, 2, 3]
    assert sequence.read == [0, 1, 2, 3]


def test_unreadable_frames_are_left_out_and_named() -> None:
    unreadable: list[str] = []
    frames = list(prefetched(FakeSequence(4, broken=(0, 3)), range(4), unreadable))
    assert [frame.stamp_ns for frame in frames] == [1, 2]
    assert unreadable == ["image 0 is truncated", "image 3 is truncated"]


def test_a_bug_in_a_reader_is_not_swallowed() -> None:
    class Broken(FakeSequence):
        def _frame(self, index: int) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(prefetched(Broken(2), range(2), []))


def test_stopping_early_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    frames = prefetched(FakeSequence(9), range(9), [])
    next(frames)
    frames.close()
    assert threading.active_count() == before


def test_frames_with_poses_are_found_without_reading_images() -> None:
    sequence = FakeSequence(4, unposed=(1,))
    assert require_poses(sequence) == [0, 2, 3]
    assert sequence.read == []


def test_a_sequence_without_poses_is_an_error() -> None:
    with pytest.raises(DataError, match="sequence fake must have frames with poses, found 2 frames without"):
        require_poses(FakeSequence(2, unposed=(0, 1)))


def test_a_sequence_without_a_readable_frame_shows_the_first_reason() -> None:
    require_readable(1, ["image 0 is truncated"], "fake")
    with pytest.raises(DataError, match="sequence fake has no readable frame, found image 0 is truncated"):
        require_readable(0, ["image 0 is truncated"], "fake")


def test_a_sequence_whose_poses_miss_its_images_says_so() -> None:
    sequence = FakeSequence(2, unposed=(0, 1))
    sequence.notes = ["camera is a guess", "no image has a pose: images are stamped 5 to 6 s, poses of a.txt 1 to 2 s"]
    with pytest.raises(DataError, match="found 2 frames without; no image has a pose: images are stamped 5 to 6 s"):
        require_poses(sequence)


def test_a_map_without_codes_is_an_error_that_says_why() -> None:
    require_codes(1, 0, [], True)
    with pytest.raises(DataError, match="map must have at least one code, found 0 codes of 1 keyframes; all poses are"):
        require_codes(0, 1, [FakeSequence(1)], True)


def test_depth_that_no_camera_measures_is_named_as_the_likely_cause() -> None:
    class InMillimetres(FakeSequence):
        """Depth of 2 m, taken as 2000 m."""

        def has_depth(self, index: int) -> bool:
            return True

        def __getitem__(self, index: int) -> Frame:
            return replace(super().__getitem__(index), depth_m=np.full((6, 8), 2000, np.float32))

    with pytest.raises(DataError, match="the median of its depth is 2,000 m, .*give .depth_unit_m=0.001"):
        require_codes(0, 0, [InMillimetres(2, unposed=(0, 1))], True)
    with pytest.raises(DataError, match="no frame got a pose"):
        require_codes(0, 0, [InMillimetres(2, unposed=(0, 1))], False)
