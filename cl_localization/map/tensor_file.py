"""Arrays and texts in one file: the safetensors format, written and read array by array.

The safetensors library joins all arrays in memory before it writes, and maps a file into memory to read it; a bad
sector, or a file cut short while it is read, then ends the process with SIGBUS. Here a write needs no memory beside the
arrays, a read no more than them, and every fault of the file or the disk is an exception.
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
          "I64": np.int64,
          "U64": np.uint64, "F32": np.float32, "F64": np.float64}
NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}
MAX_HEADER_BYTES = 16_000_000
"""A longer header is refused, as JSON takes many times its length in memory."""

LENGTH_BYTES, ALIGNMENT = 8, 8


@dataclass(frozen=True)
class Entry:
    """Where an array lies in a file: bytes [begin, end) from the start of the file."""

    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class DamagedFile(Exception):
    """Why a file is no whole safetensors file."""


def write_tensors(stream: BinaryIO, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]) -> int:
    """Write arrays, which must be contiguous, and texts to a stream; return how many bytes that took.

    Raises:
        MapError: the texts are too long to be read again.
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
    """Return the texts of a file and where its arrays lie, after checking that they fill it to the last byte.

    Raises:
        DamagedFile: they do not, or there is no such header.
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
        raise DamagedFile("metadata that are no texts")
    entries = {name: _entry(name, said, LENGTH_BYTES + length) for name, said in header.items()}
    _check_filled(entries, LENGTH_BYTES + length, size)
    return texts, entries


def _entry(name: str, said: Any, data_begin: int) -> Entry:
    """Return where one array lies from what the header says of it."""
    try:
        dtype, (begin, end) = np.dtype(DTYPES[said["dtype"]]), said["data_offsets"]
        shape = tuple(said["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"no type, shape or place of {name[:80]}") from error
    if not all(type(number) is int and 0 <= number < 2**62 for number in (*shape, begin, end)):
        raise DamagedFile(f"shape or place of {name[:80]} that are no whole numbers")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise DamagedFile(f"{end - begin} bytes for {name[:80]} of shape {shape}")
    return Entry(dtype, shape, data_begin + begin, data_begin + end)


def _check_filled(entries: dict[str, Entry], begin: int, size: int) -> None:
    """Check that the arrays lie one after the other from `begin` to the end of the file."""
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != begin:
            raise DamagedFile(f"{name[:80]} at byte {entry.begin} instead of {begin}")
        begin = entry.end
    if begin != size:
        raise DamagedFile(f"{size} bytes instead of {begin}")


def read_tensor(stream: BinaryIO, entry: Entry) -> np.ndarray:
    """Return one array.

    Raises:
        DamagedFile: the file has become shorter.
        OSError: the disk cannot be read.
    """
    array = np.empty(entry.shape, entry.dtype)
    stream.seek(entry.begin)
    if array.nbytes and stream.readinto(  # type: ignore[attr-defined]  # binary files have it
            memoryview(array.reshape(-1)).cast("B")) != array.nbytes:
        raise DamagedFile("an end before the last array's")
    return array
