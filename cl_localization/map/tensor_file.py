"""Arrays and texts in a safetensors file, written and read array by array.

The safetensors library copies all arrays in memory to write them, and memory-maps a file to read it, where a bad sector
or a file truncated during reading ends the process with SIGBUS. Here nothing is copied, and every fault of the file or
disk is an exception.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from cl_localization.errors import MapError

DTYPES = {"I8": np.int8, "U8": np.uint8, "I16": np.int16, "U16": np.uint16, "I32": np.int32, "U32": np.uint32,
          "I64": np.int64, "U64": np.uint64, "F32": np.float32, "F64": np.float64}
NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}
MAX_HEADER_BYTES = 16_000_000
"""Longest header accepted, since parsed JSON takes many times its length in memory."""

LENGTH_BYTES, ALIGNMENT = 8, 8


@dataclass(frozen=True)
class Entry:
    """The position of an array: bytes [begin, end) of the file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class DamagedFile(Exception):
    """Why a file is no complete safetensors file."""


def write_tensors(stream: BinaryIO, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> int:
    """Write contiguous arrays and texts to a stream; return the size in bytes.

    Raises:
        MapError: the texts are longer than `MAX_HEADER_BYTES`.
    """
    header: dict[str, Any] = {"__metadata__": dict(texts)}
    names, begin = sorted(arrays, key=lambda name: -arrays[name].itemsize), 0
    for name in names:
        array = arrays[name]
        header[name] = {"dtype": NAMES[array.dtype], "shape": list(array.shape),
                        "data_offsets": [begin, begin + array.nbytes]}
        begin += array.nbytes
    content = json.dumps(header, separators=(",", ":")).encode()
    content += b" " * (-len(content) % ALIGNMENT)
    if len(content) > MAX_HEADER_BYTES:
        raise MapError("metadata of the map", f"must have at most {MAX_HEADER_BYTES} bytes", len(content),
                       "use fewer or shorter scene names")
    stream.write(len(content).to_bytes(LENGTH_BYTES, "little"))
    stream.write(content)
    for name in names:
        stream.write(memoryview(arrays[name].reshape(-1)).cast("B"))
    return LENGTH_BYTES + len(content) + begin


def read_header(stream: BinaryIO) -> tuple[dict[str, str], dict[str, Entry]]:
    """Return the texts of a file and the positions of its arrays, which must fill the file without gaps.

    Raises:
        DamagedFile: an invalid header, or the arrays do not fill the file.
        OSError: the disk cannot be read.
    """
    size = os.fstat(stream.fileno()).st_size
    length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
    if size < LENGTH_BYTES or not 2 <= length <= min(size - LENGTH_BYTES, MAX_HEADER_BYTES):
        raise DamagedFile(f"a header of {length} bytes in a file of {size}")
    try:
        header = json.loads(stream.read(length))
    except (ValueError, RecursionError) as error:
        raise DamagedFile("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise DamagedFile("a header that is no JSON object")
    texts = header.pop("__metadata__", {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise DamagedFile("metadata that are no strings")
    entries = {name: _entry(name, described, LENGTH_BYTES + length) for name, described in header.items()}
    _check_filled(entries, LENGTH_BYTES + length, size)
    return texts, entries


def _entry(name: str, described: Any, data_begin: int) -> Entry:
    """Return the position of an array from its description in the header."""
    try:
        dtype, (begin, end) = np.dtype(DTYPES[described["dtype"]]), described["data_offsets"]
        shape = tuple(described["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"no type, shape or position of {name[:80]}") from error
    if not all(type(number) is int and 0 <= number < 2**62 for number in (*shape, begin, end)):
        raise DamagedFile(f"shape or position of {name[:80]} that are no integers")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise DamagedFile(f"{end - begin} bytes for {name[:80]} of shape {shape}")
    return Entry(dtype, shape, data_begin + begin, data_begin + end)


def _check_filled(entries: dict[str, Entry], begin: int, size: int) -> None:
    """Check that the arrays fill the file from `begin` to its end without gaps."""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != begin:
            raise DamagedFile(f"{name[:80]} at byte {entry.begin} instead of {begin}")
        begin = entry.end
    if begin != size:
        raise DamagedFile(f"{size} bytes instead of {begin}")


def read_tensor(stream: BinaryIO, entry: Entry) -> np.ndarray:
    """Return one array.

    Raises:
        DamagedFile: the file was truncated.
        OSError: the disk cannot be read.
    """
    array = np.empty(entry.shape, entry.dtype)
    stream.seek(entry.begin)
    if array.nbytes and stream.readinto(  # type: ignore[attr-defined]  # binary files have it
            memoryview(array.reshape(-1)).cast("B")) != array.nbytes:
        raise DamagedFile("an end before that of the last array")
    return array
