"""An MCAP that was cut, as when the recorder was killed: its whole records, read as if the file ended there."""

from __future__ import annotations

import io
import struct
from pathlib import Path, PosixPath
from typing import Any

MAGIC = b"\x89MCAP0\r\n"
FOOTER, MESSAGE, CHUNK, DATA_END = 0x02, 0x05, 0x06, 0x0F
PREFIX_BYTES = 9
"""Of a record: its kind, and its length in 8 bytes."""

ENDING = bytes([FOOTER]) + struct.pack("<QQQI", 20, 0, 0, 0) + MAGIC
"""A footer that names no summary: the reader then finds out what there is by going through the file."""


def is_cut_mcap(path: Path) -> bool:
    """Return whether a file begins as an MCAP and does not end as one."""
    try:
        with path.open("rb") as stream:
            begins = stream.read(len(MAGIC)) == MAGIC
            stream.seek(-len(MAGIC), io.SEEK_END)
            return begins and stream.read() != MAGIC
    except OSError:
        return False


def whole_bytes(path: Path) -> int:
    """Return how many bytes at the beginning of a cut file are whole records of data.

    Where the file goes on with zeros, as after a crash of the machine, the last record of messages may be zeros in
    part, and is not counted.
    """
    size, position, last = path.stat().st_size, len(MAGIC), len(MAGIC)
    with path.open("rb") as stream:
        while True:
            stream.seek(position)
            prefix = stream.read(PREFIX_BYTES)
            if len(prefix) < PREFIX_BYTES or prefix[0] in (FOOTER, DATA_END):
                return position
            if prefix[0] == 0:
                return last
            if prefix[0] in (MESSAGE, CHUNK):
                last = position
            end = position + PREFIX_BYTES + struct.unpack("<Q", prefix[1:])[0]
            if end > size:
                return position
            position = end


class CutMcap(PosixPath):
    """Path of a cut MCAP that opens as a file which ends, as it should, after the last whole record."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        """Return a binary stream of the whole records and an ending."""
        return io.BufferedReader(_Ended(Path(self)))


class _Ended(io.RawIOBase):
    """The whole part of a file, and `ENDING`."""

    def __init__(self, path: Path) -> None:
        self._whole, self._position = whole_bytes(path), 0
        self._stream = path.open("rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._whole + len(ENDING)}[whence]
        self._position = start + offset
        if self._position < 0:
            raise OSError("before the beginning")
        return self._position

    def readinto(self, buffer: Any) -> int:
        if self._position < self._whole:
            self._stream.seek(self._position)
            data = self._stream.read(min(len(buffer), self._whole - self._position))
        else:
            data = ENDING[self._position - self._whole:][:len(buffer)]
        buffer[:len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()
