from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.place_struct import read_bounds, read_place_struct, struct_traverse
from struct_makers import struct_fields, write_struct


def test_a_structure_comes_back(tmp_path: Path) -> None:
    fields = struct_fields(100, 6, 2.0) | {"utmQ": np.array([[1.0, 2, 3, 4, 5, 6]]), "nonTrivPosDistSqThr": 25}
    found = read_place_struct(write_struct(tmp_path / "a.db", fields))
    assert found.database_names[0] == "images-00100.png" and len(found.query_names) == 6
    assert found.database_positions[:, 0].tolist() == list(range(100, 106)) and found.query_positions.shape == (6, 1)
    assert found.true_radius == 2.0 and found.near_radius == 5.0


@pytest.mark.parametrize("name", ["dbImageFns", "qImageFns", "utmDb", "utmQ", "posDistThr", "nonTrivPosDistSqThr"])
def test_a_missing_field_is_named(tmp_path: Path, name: str) -> None:
    fields = struct_fields(0, 4)
    del fields[name]
    with pytest.raises(DataError, match=f"a.db must have the field {name}, found only dataset"):
        read_place_struct(write_struct(tmp_path / "a.db", fields))


@pytest.mark.parametrize("change, message", [
    ({"utmDb": np.arange(3)[None]}, "must give finite coordinates of 4 images in utmDb"),
    ({"utmQ": np.array([[0, 1, np.nan, 3]])}, "must give finite coordinates of 4 images in utmQ"),
    ({"utmQ": np.zeros((2, 4))}, "must give utmDb and utmQ as many coordinates, found 1 and 2"),
    ({"posDistThr": -1}, "must give one number of at least 0 in posDistThr"),
    ({"nonTrivPosDistSqThr": "far"}, "must give one number of at least 0 in nonTrivPosDistSqThr"),
    ({"qImageFns": np.zeros((0, 1), object)}, "must name 1 to 1000000 images in qImageFns, found 0")])
def test_fields_that_contradict_each_other_are_refused(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_place_struct(write_struct(tmp_path / "a.db", struct_fields(0, 4) | change))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"no matlab at all" * 20)
    with pytest.raises(DataError, match="must be a MATLAB 5 file"):
        read_place_struct(path)
    import scipy.io
    scipy.io.savemat(str(path), {"other": np.ones(3)}, appendmat=False)
    with pytest.raises(DataError, match="must hold the structure dbStruct, found other"):
        read_place_struct(path)
    with pytest.raises(DataError, match="none.db is missing"):
        read_place_struct(tmp_path / "none.db")


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_struct(tmp_path / "a.db", struct_fields(0, 50))
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="must be a MATLAB 5 file"):
        read_place_struct(path)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("cl_localization.research.seqmatchnet.place_struct.MAX_UNPACKED_BYTES", 1_000_000)
    packed = zlib.compress(bytes(5_000_000))
    (tmp_path / "a.db").write_bytes(bytes(128) + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(DataError, match="must not unpack to more than 1000000 bytes"):
        read_place_struct(tmp_path / "a.db")


def test_bounds_are_stretches(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("0 2\n0 2\n2 5\n2 5\n2 5\n")
    assert read_bounds(tmp_path / "b.txt", 5).tolist() == [[0, 2], [2, 5]]


@pytest.mark.parametrize("text, message", [
    ("0 2\n0 2\n", r"must have two numbers for each of 3 images, found \(2, 2\)"),
    ("0 2\na b\n2 3\n", "must be two whole numbers a line"),
    ("0 2\n2 3\n2 3\n", "must hold each image in one stretch, found not so for image 1"),
    ("0 3\n0 3\n1 3\n", "must hold each image in one stretch")])
def test_bounds_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.txt").write_text(text)
    with pytest.raises(DataError, match=message):
        read_bounds(tmp_path / "b.txt", 3)


def test_rows_are_found_by_the_names_of_their_images(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"day/{number}.png\n" for number in range(5)))
    traverse = struct_traverse("t", ["3.png", "1.png"], np.zeros((2, 1)), np.arange(5.0)[:, None],
                               tmp_path / "names.txt")
    assert traverse.descriptors[:, 0].tolist() == [3, 1]


def test_rows_that_belong_to_no_known_image_are_refused(tmp_path: Path) -> None:
    names, positions, descriptors = ["9.png", "1.png"], np.zeros((2, 1)), np.zeros((5, 1))
    with pytest.raises(DataError, match="descriptors of t must be one for each of 2 images of the structure, found 5"):
        struct_traverse("t", names, positions, descriptors)
    (tmp_path / "names.txt").write_text("".join(f"{number}.png\n" for number in range(5)))
    with pytest.raises(DataError, match="must hold every image of the structure, found 9.png is missing"):
        struct_traverse("t", names, positions, descriptors, tmp_path / "names.txt")
    with pytest.raises(DataError, match="must be one for each of 4 descriptors, found 5"):
        struct_traverse("t", names, positions, descriptors[:4], tmp_path / "names.txt")
