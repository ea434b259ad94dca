from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.descriptor_file import descriptor_traverse, read_descriptors


def test_descriptors_come_back(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.save(tmp_path / "d.npy", values)
    traverse = descriptor_traverse(tmp_path / "d.npy")
    assert np.array_equal(traverse.descriptors, values) and len(traverse) == 5 and traverse.read is None


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none.npy must be a file, found nothing there"):
        read_descriptors(tmp_path / "none.npy")
    with pytest.raises(DataError, match="must be a file, found a folder"):
        read_descriptors(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"not numpy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)}"]
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.npy").write_bytes(content)
    with pytest.raises(DataError, match="must be a .npy file of numbers"):
        read_descriptors(tmp_path / "d.npy")


@pytest.mark.parametrize("values", [np.ones(3), np.ones((0, 4)), np.array([["a"]])])
def test_arrays_of_another_kind_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "d.npy", values)
    with pytest.raises(DataError, match=r"must hold one \(images, width\) array of numbers"):
        read_descriptors(tmp_path / "d.npy")


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.array([[{}]], dtype=object))
    with pytest.raises(DataError, match="must be a .npy file of numbers"):
        read_descriptors(tmp_path / "d.npy")


def test_an_enormous_file_is_refused(tmp_path: Path, monkeypatch) -> None:
    np.save(tmp_path / "d.npy", np.ones((4, 4)))
    monkeypatch.setattr("cl_localization.research.seqmatchnet.descriptor_file.MAX_BYTES", 100)
    with pytest.raises(DataError, match="must not be larger than 100 bytes"):
        read_descriptors(tmp_path / "d.npy")
