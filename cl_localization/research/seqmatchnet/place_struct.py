"""The `.db` files of NetVLAD, SeqNet and SeqMatchNet: a MATLAB structure that says where images of two traverses were
taken.

Beside it lie descriptors, one row an image (.npy). They may be of more images than the structure names: then a list of
image names, in the order of the rows, tells which rows are meant. Sequence bounds are text files with "start end" for
each image.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.data.files import MAX_FRAMES, read_bytes, read_rows, read_text
from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.traverse import Traverse, whole

MAX_STRUCT_BYTES = 100_000_000
MAX_UNPACKED_BYTES = 400_000_000
HEADER_BYTES, COMPRESSED = 128, 15
"""Of the MATLAB 5 format: the header's size, and the type of an element that is packed with zlib."""

UNPACKED_AT_ONCE = 10_000_000
STRUCT = "dbStruct"
FIELDS = ("dbImageFns", "qImageFns", "utmDb", "utmQ", "posDistThr", "nonTrivPosDistSqThr")


@dataclass(frozen=True, eq=False)
class PlaceStruct:
    """What the structure says.

    Attributes:
        database_names, query_names: of the images.
        database_positions, query_positions: (N, d) float64.
        true_radius, near_radius: see `TraversePair`.
    """

    database_names: list[str]
    query_names: list[str]
    database_positions: np.ndarray
    query_positions: np.ndarray
    true_radius: float
    near_radius: float


def read_place_struct(path: Path) -> PlaceStruct:
    """Return the structure in a `.db` file.

    Raises:
        DataError: no MATLAB 5 file, a missing field, or fields that contradict each other.
    """
    fields = _read_fields(path)
    for name in FIELDS:
        if name not in fields:
            raise DataError(f"structure {path}", f"must have the field {name}", f"only {', '.join(sorted(fields))}",
                            "make it again with all fields")
    database, queries = (_names(fields[name], path, name) for name in ("dbImageFns", "qImageFns"))
    database_positions = _positions(fields["utmDb"], len(database), path, "utmDb")
    query_positions = _positions(fields["utmQ"], len(queries), path, "utmQ")
    if database_positions.shape[1] != query_positions.shape[1]:
        raise DataError(f"structure {path}", "must give utmDb and utmQ as many coordinates",
                        f"{database_positions.shape[1]} and {query_positions.shape[1]}")
    true_radius, near_squared = (_number(fields[name], path, name) for name in ("posDistThr", "nonTrivPosDistSqThr"))
    return PlaceStruct(database, queries, database_positions, query_positions, true_radius,
                       float(np.sqrt(near_squared)))


def read_bounds(path: Path, count: int) -> np.ndarray:
    """Return the stretches (S, 2) of a file with "start end" for each of `count` images.

    Raises:
        DataError: not one line an image, or bounds that do not follow each other.
    """
    rows = read_rows(path)
    try:
        values = np.array([[int(float(word)) for word in row] for row in rows], np.int64).reshape(len(rows), -1)
    except (ValueError, OverflowError):
        raise DataError(f"sequence bounds {path}", "must be two whole numbers a line",
                        remedy="is it the right file?") from None
    if values.shape != (count, 2):
        raise DataError(f"sequence bounds {path}", f"must have two numbers for each of {count} images", values.shape)
    inside = (values[:, 0] <= np.arange(count)) & (np.arange(count) < values[:, 1])
    stretches = np.unique(values, axis=0)
    if not inside.all() or (stretches[1:, 0] < stretches[:-1, 1]).any() or stretches[-1, 1] > count:
        raise DataError(f"sequence bounds {path}", "must hold each image in one stretch",
                        f"not so for image {int(np.argmin(inside))}")
    return stretches


def struct_traverse(name: str, names: list[str], positions: np.ndarray, descriptors: np.ndarray,
                    listed: Path | None = None, bounds: Path | None = None, rows: np.ndarray | None = None) -> Traverse:
    """Return one side of a structure with its descriptors.

    Args:
        descriptors: (rows, D); of the structure's images in their order, or of those in `listed`.
        listed: text file with the image name of each row.
        rows: the structure's rows, where there is no such file.
        bounds: text file of sequence bounds; without it the traverse has no breaks.

    Raises:
        DataError: rows that cannot be assigned to the images.
    """
    if len(descriptors) != len(names):
        if listed is not None:
            rows = _rows_of(names, listed, len(descriptors))
        if rows is None or len(rows) != len(names) or rows.max() >= len(descriptors):
            raise DataError(f"descriptors of {name}", f"must be one for each of {len(names)} images of the structure",
                            len(descriptors), "or give a list of the image names of all rows")
        descriptors = descriptors[rows]
    stretches = whole(len(names)) if bounds is None else read_bounds(bounds, len(names))
    return Traverse(name, names, positions, stretches, descriptors=descriptors)


def _rows_of(names: list[str], listed: Path, rows: int) -> np.ndarray:
    lines = [line.strip() for line in read_text(listed).splitlines() if line.strip()]
    if len(lines) != rows:
        raise DataError(f"image names {listed}", f"must be one for each of {rows} descriptors", len(lines))
    place = {Path(line).name: row for row, line in enumerate(lines)}
    unknown = [name for name in names if Path(name).name not in place]
    if unknown:
        raise DataError(f"image names {listed}", "must hold every image of the structure", f"{unknown[0]} is missing")
    return np.array([place[Path(name).name] for name in names])


def _read_fields(path: Path) -> dict[str, np.ndarray]:
    import scipy.io

    content = read_bytes(path, MAX_STRUCT_BYTES)
    _check_unpacked_size(content, path)
    try:
        listed = scipy.io.whosmat(io.BytesIO(content))
        if STRUCT in {name for name, _, _ in listed}:
            found = scipy.io.loadmat(io.BytesIO(content), variable_names=[STRUCT])[STRUCT]
            if found.dtype.names and found.size:
                return {name: np.asarray(found.reshape(-1)[0][name]) for name in found.dtype.names}
    except Exception as error:  # scipy raises errors of many kinds for damaged files
        raise DataError(f"structure {path}", "must be a MATLAB 5 file", type(error).__name__,
                        "it may be truncated: copy it again") from None
    raise DataError(f"structure {path}", f"must hold the structure {STRUCT}",
                    ", ".join(name for name, _, _ in listed) or "nothing")


def _check_unpacked_size(content: bytes, path: Path) -> None:
    """Unpack what is packed, up to the bound and without keeping it: a small file must not fill the memory."""
    position, left = HEADER_BYTES, MAX_UNPACKED_BYTES
    while position + 8 <= len(content):
        kind, size = struct.unpack("<II", content[position:position + 8])
        if kind == COMPRESSED:
            packed, unpacker = content[position + 8:position + 8 + size], zlib.decompressobj()
            while packed and left > 0 and not unpacker.eof:
                try:
                    left -= len(unpacker.decompress(packed, UNPACKED_AT_ONCE))
                except zlib.error:
                    return  # the reader says what is wrong
                packed = unpacker.unconsumed_tail
        if left <= 0:
            raise DataError(f"structure {path}", f"must not unpack to more than {MAX_UNPACKED_BYTES} bytes",
                            remedy="is it the right file?")
        position += 8 + size


def _names(values: np.ndarray, path: Path, field: str) -> list[str]:
    names = [str(np.asarray(value).reshape(-1)[0]).strip() if np.asarray(value).size else ""
             for value in values.reshape(-1)]
    if not names or len(names) > MAX_FRAMES or not all(names):
        raise DataError(f"structure {path}", f"must name 1 to {MAX_FRAMES} images in {field}", len(names))
    return names


def _positions(values: np.ndarray, count: int, path: Path, field: str) -> np.ndarray:
    if values.ndim != 2 or values.shape[1] != count or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise DataError(f"structure {path}", f"must give finite coordinates of {count} images in {field}",
                        f"{values.shape} {values.dtype}")
    return np.ascontiguousarray(values.T, np.float64)


def _number(values: np.ndarray, path: Path, field: str) -> float:
    if values.size != 1 or values.dtype.kind not in "fiu" or not np.isfinite(values).all() or values.reshape(-1)[0] < 0:
        raise DataError(f"structure {path}", f"must give one number of at least 0 in {field}", values.shape)
    return float(values.reshape(-1)[0])
