"""The safetensors format: the library reads what we write, and nothing but a whole file is read."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from cl_localization.errors import MapError
from cl_localization.map.tensor_file import (
    DTYPES,
    MAX_HEADER_BYTES,
    DamagedFile,
    read_header,
    read_tensor,
    write_tensors,
)

ARRAYS = {name: np.arange(6, dtype=kind).reshape(2, 3) for name,
          kind in DTYPES.items()} | {"none": np.zeros((0, 4), np.float32)}


def written(path: Path, arrays: dict[str, np.ndarray] = ARRAYS, texts: dict[str, str] | None = None) -> Path:
    with path.open("wb") as stream:
        assert write_tensors(stream, arrays, texts or {"a": "b"}) == stream.tell()
    return path


def read(path: Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    with path.open("rb") as stream:
        texts, entries = read_header(stream)
        return texts, {name: read_tensor(stream, entry) for name, entry in entries.items()}


def with_header(path: Path, header: object, data: bytes = b"") -> Path:
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content + data)
    return path


def test_arrays_and_texts_come_back(tmp_path):
    texts, arrays = read(written(tmp_path / "file"))
    assert texts == {"a": "b"} and set(arrays) == set(ARRAYS)
    for name, values in ARRAYS.items():
        assert arrays[name].dtype == values.dtype
        np.testing.assert_array_equal(arrays[name], values)


def test_the_library_reads_what_is_written_and_the_other_way_round(tmp_path):
    with safe_open(written(tmp_path / "ours"), framework="numpy") as file:
        assert file.metadata() == {"a": "b"}
        for name, values in ARRAYS.items():
            np.testing.assert_array_equal(file.get_tensor(name), values)
    save_file(ARRAYS, tmp_path / "theirs", {"a": "b"})
    texts, arrays = read(tmp_path / "theirs")
    assert texts == {"a": "b"}
    for name, values in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], values)


def test_writing_and_reading_take_no_memory_beside_the_arrays(tmp_path):
    arrays = {"large": np.zeros(20_000_000, np.uint8)}
    tracemalloc.start()
    written(tmp_path / "file", arrays)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    read(tmp_path / "file")
    assert tracemalloc.get_traced_memory()[1] < 21_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("header, match", [
    (b"", "a header of 0 bytes"), (b"{", "a header of 1 bytes"), (b"{]", "no JSON"), (b"[]", "no JSON object"),
    (b"[" * 5000, "no JSON"),
    ({"__metadata__": 3}, "metadata that are no strings"), ({"__metadata__": {"a": 3}}, "metadata that are no strings"),
    ({"a": 3}, "no type, shape or position of a"), ({"a": {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}},
                                                 "no type"),
    ({"a": {"dtype": "I8", "shape": 3, "data_offsets": [0, 3]}}, "no type, shape or position of a"),
    ({"a": {"dtype": "I8", "shape": [3.0], "data_offsets": [0, 3]}}, "no integers"),
    ({"a": {"dtype": "I8", "shape": [-3], "data_offsets": [0, -3]}}, "no integers"),
    ({"a": {"dtype": "I8", "shape": [True], "data_offsets": [0, 1]}}, "no integers"),
    ({"a": {"dtype": "I8", "shape": [2**61], "data_offsets": [0, 2**61]}}, "instead of"),
    ({"a": {"dtype": "I8", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, "4 bytes for a"),
    ({"a": {"dtype": "I8", "shape": [4], "data_offsets": [4, 8]}}, "at byte"),
    ({"a": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]},
      "b": {"dtype": "I8", "shape": [4], "data_offsets": [0, 4]}}, "at byte"),
    ({"a": {"dtype": "I8", "shape": [3], "data_offsets": [0, 3]}}, "bytes instead of"), ({}, "bytes instead of")])
def test_a_header_that_does_not_fit_the_file_is_refused(tmp_path, header, match):
    with pytest.raises(DamagedFile, match=match):
        read(with_header(tmp_path / "file", header, b"data"))


@pytest.mark.parametrize("length", [2**64 - 1, 2**63, MAX_HEADER_BYTES + 1, 17])
def test_the_length_of_a_header_claims_no_memory(tmp_path, length):
    (tmp_path / "file").write_bytes(length.to_bytes(8, "little") + b"{}" + b" " * 14)
    with pytest.raises(DamagedFile, match=f"a header of {length} bytes in a file of 24"):
        read(tmp_path / "file")


@given(st.binary(max_size=200), st.integers(0, 200))
def test_random_bytes_after_any_beginning_are_refused(tmp_path, rest, kept):
    whole = written(tmp_path / "whole").read_bytes()
    (tmp_path / "file").write_bytes(whole[:kept] + rest)
    with pytest.raises(DamagedFile):
        read(tmp_path / "file")


def test_a_file_that_becomes_shorter_while_it_is_read_is_told(tmp_path):
    path = written(tmp_path / "file", {"longer than what is read ahead": np.zeros(100_000, np.uint8)})
    with path.open("rb") as stream:
        _, entries = read_header(stream)
        with path.open("r+b") as other:
            other.truncate(path.stat().st_size - 1)
        with pytest.raises(DamagedFile, match="an end before that of the last array"):
            for entry in entries.values():
                read_tensor(stream, entry)


def test_texts_that_could_not_be_read_again_are_not_written(tmp_path):
    with pytest.raises(MapError, match=f"metadata of the map must have at most {MAX_HEADER_BYTES} bytes"):
        written(tmp_path / "file", texts={"a": "b" * MAX_HEADER_BYTES})
