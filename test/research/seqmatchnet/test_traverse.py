from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.traverse import (
    Traverse,
    image_numbers,
    is_image_traverse,
    number_gaps,
    open_image_traverse,
    paired,
    posed_traverse,
    whole,
)
from place_makers import random_pair, traverse_of, write_images


def test_a_folder_of_images_is_a_traverse_in_the_order_of_the_names(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [8, 9, 10, 11])
    (folder / "notes.txt").write_text("not an image")
    traverse = open_image_traverse(folder)
    assert traverse.names == ["image-00008", "image-00009", "image-00010", "image-00011"]
    assert traverse.positions[:, 0].tolist() == [0, 1, 2, 3] and traverse.bounds.tolist() == [[0, 4]]
    assert traverse.read(2).shape == (32, 64, 3)


def test_only_folders_of_images_without_a_calibration_are_traverses(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [1, 2])
    assert is_image_traverse(folder) and not is_image_traverse(tmp_path)
    (folder / "camera.yaml").write_text("image_width: 64")
    assert not is_image_traverse(folder)


@pytest.mark.parametrize("names, gaps", [
    (["a-1", "a-2", "a-3"], []),
    ([f"a-{number}" for number in range(10, 300, 10) if number not in (50, 60)], [4]),
    (["x", "y", "z"], []),
    (["1", "2", "9", "30", "31"], []),
    (["1", "2"], [])])
def test_gaps_are_numbers_that_are_left_out_of_a_count(names: list[str], gaps: list[int]) -> None:
    assert number_gaps(names).tolist() == gaps


def test_a_gap_is_refused_or_ends_a_stretch(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "a", [number for number in range(30) if number != 12])
    with pytest.raises(DataError, match="must not leave out images, found a gap between image-00011 and image-00013, 1 "
                                        "in all"):
        open_image_traverse(folder)
    assert open_image_traverse(folder, split_at_gaps=True).bounds.tolist() == [[0, 12], [12, 29]]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="must be a folder of images"):
            open_image_traverse(path)


def test_a_part_keeps_what_belongs_to_its_images() -> None:
    traverse = traverse_of(np.arange(20.0)[:, None], bounds=np.array([[0, 8], [8, 20]]))
    part = traverse.part(5, 12)
    assert part.names == traverse.names[5:12] and part.descriptors[:, 0].tolist() == list(range(5, 12))
    assert part.bounds.tolist() == [[0, 3], [3, 7]] and part.positions[0, 0] == 5
    assert len(traverse.part(15, 2**31)) == 5


def test_a_part_reads_its_own_images() -> None:
    traverse = Traverse("t", list("abcd"), image_numbers(4), whole(4),
                        lambda index: np.full((2, 2, 3), index, np.uint8))
    assert traverse.part(2, 4).part(1, 2).read(0)[0, 0, 0] == 3


@pytest.mark.parametrize("begin, end", [(5, 5), (60, 70), (-1, 4), (9, 3)])
def test_a_part_without_images_is_refused(begin: int, end: int) -> None:
    with pytest.raises(DataError, match=f"range {begin}:{end} of database must lie in 0:60"):
        random_pair(60).part(begin, end)


def test_a_posed_sequence_has_the_places_of_its_cameras() -> None:
    sequence = open_sequence("sim:3?rooms=1&frames=4&size=64x48")
    traverse = posed_traverse(sequence)
    assert np.allclose(traverse.positions[2], sequence.pose(2)[:3, 3]) and traverse.read(0).shape == (48, 64, 3)


def test_images_without_a_pose_are_refused() -> None:
    class Unposed:
        name, skipped = "blind", []

        def __len__(self) -> int:
            return 2

        def pose(self, index: int) -> None:
            return None

    with pytest.raises(DataError, match="sequence blind must have a pose for each image, found none for image 0"):
        posed_traverse(Unposed())


def test_traverses_of_unequal_images_are_refused_with_the_first_that_is_missing(tmp_path: Path) -> None:
    database, queries = (open_image_traverse(write_images(tmp_path / name, numbers))
                         for name, numbers in (("a", [1, 2, 3, 4]), ("b", [1, 2, 3])))
    with pytest.raises(DataError, match="4 and 3 images, 1 only in one; image-00004 is not in .*b; equal names mean"):
        paired(database, queries, 1.0)
    with pytest.raises(DataError, match="image-00004 is not in .*b"):
        paired(queries, database, 1.0)


def test_positions_of_two_kinds_are_refused() -> None:
    posed = Traverse("posed", ["a"], np.zeros((1, 3)), whole(1))
    with pytest.raises(DataError, match="positions of posed must have 1 numbers as those of drive, found 3"):
        paired(traverse_of(np.ones((1, 2))), posed, 1.0)


def test_a_traverse_must_have_a_position_and_a_descriptor_for_each_image() -> None:
    with pytest.raises(DataError, match="traverse t must have images and a position for each"):
        Traverse("t", ["a"], image_numbers(2), whole(2))
    with pytest.raises(DataError, match="descriptors of t must be one for each of 1 images, found 2"):
        Traverse("t", ["a"], image_numbers(1), whole(1), descriptors=np.ones((2, 3)))
