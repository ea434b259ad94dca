from __future__ import annotations

import numpy as np

from cl_localization.data.images import read_rgb
from cl_localization.data.reading import ImageFile, ImageFileSequence
from cl_localization.data.sequence import select
from cl_localization.evaluation.run import image_only, localize_frames, map_frames
from evaluation_fakes import CAMERA, FakeLocalizer, FakeMapper, FakeSequence


def test_mapping_counts_frames_keyframes_and_those_without_a_pose() -> None:
    mapper = FakeMapper()
    count = map_frames(mapper, FakeSequence(5, unposed=(2,)))
    assert (count.frames, count.keyframes, count.without_pose) == (4, 2, 1)
    assert mapper.finished == 1 and count.seconds > 0


def test_mapping_without_depth_hides_it_from_the_mapper() -> None:
    mapper = FakeMapper()
    map_frames(mapper, FakeSequence(2), use_depth=False)
    assert all(frame.depth_m is None for frame in mapper.frames)


def test_localizing_goes_on_after_an_unreadable_frame() -> None:
    unreadable: list[str] = []
    records = localize_frames(FakeLocalizer(refused=(3,)), FakeSequence(5, broken=(1,)), range(5), unreadable)
    assert unreadable == ["image 1 is truncated"]
    assert [record.accepted for record in records] == [True, True, False, True]
    assert records[0].translation_error_m == 0.0


def test_depth_files_are_left_unread_for_localizing(tmp_path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((6, 8, 3), np.uint8))
    file = ImageFile("a", 0, tmp_path / "a.png", CAMERA, depth_path=tmp_path / "missing.png")
    assert read_rgb(file.image_path).shape == (6, 8, 3)
    part = select(ImageFileSequence("files", [file, file]), [1])
    assert image_only(part)[0].depth_m is None
    assert image_only(part).names == part.names


def test_a_sequence_of_another_kind_is_left_alone() -> None:
    sequence = FakeSequence(2)
    assert image_only(sequence) is sequence


def test_a_localizer_is_reset_before_a_sequence() -> None:
    localizer = FakeLocalizer()
    localize_frames(localizer, FakeSequence(3), range(3), [])
    assert localizer.resets == 1
