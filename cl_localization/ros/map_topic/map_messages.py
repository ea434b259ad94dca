"""Converts `MapCode` messages to `MapDelta` and back. A received message is checked completely before it is used."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from cl_localization.errors import RosError
from cl_localization.map.map_delta import KEYFRAME_DESCRIPTOR_DIM, MapDelta
from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.ros.conversions import bytes_field, time_message

BYTES_PER_MB = 1_000_000
MAX_DIM = 4096
ROW_BYTES = 36
"""Size of a code without its key."""

MAX_TEXT = 1000
MAX_SCENES = 65536


@dataclass(frozen=True)
class Column:
    """One array of the message.

    Attributes:
        dtype: type of its elements.
        typecode: the same for Python's array module.
        rows: the field whose length is the number of rows.
        width: numbers per row; 0: the message's dim.
    """

    dtype: type
    typecode: str
    rows: str
    width: int = 1


COLUMNS = {
    "ids": Column(np.uint32, "I", "ids"), "keys": Column(np.int8, "b", "ids", 0),
    "positions_m": Column(np.float32, "f", "ids", 3), "sigmas_m": Column(np.float32, "f", "ids"),
    "seen": Column(np.uint16, "H", "ids"),
    "stamps_s": Column(np.uint32, "I", "ids"), "scenes": Column(np.uint16, "H", "ids"),
    "anchors": Column(np.uint32, "I", "ids"), "removed_ids": Column(np.uint32, "I", "removed_ids"),
    "keyframe_ids": Column(np.uint32, "I", "keyframe_ids"),
    "keyframe_poses": Column(np.float64, "d", "keyframe_ids", 7),
    "keyframe_stamps_ns": Column(np.int64, "q", "keyframe_ids"),
    "keyframe_scenes": Column(np.uint16, "H", "keyframe_ids"),
    "keyframe_variance_factors": Column(np.float32, "f", "keyframe_ids"),
    "keyframe_descriptors": Column(np.int8, "b", "keyframe_ids", KEYFRAME_DESCRIPTOR_DIM),
    "removed_keyframe_ids": Column(np.uint32, "I", "removed_keyframe_ids"),
}
TEXTS = ("map_id", "encoder")
SEALED = (*TEXTS, "source", "owns_tf", "dim", "cell_size_m", "base_version", "version",
          "temperature")
"""Scalars in the checksum, besides the header, the scene names and all columns."""


def map_message(delta: MapDelta, stamp_ns: int, source: str = "", owns_tf: bool = False) -> MapCodeMessage:
    """Return the message of a map delta made at `stamp_ns` by the mapper `source`, which may publish map -> odom."""
    message = MapCodeMessage(map_id=delta.map_id, source=source, owns_tf=owns_tf, encoder=delta.encoder,
                             dim=int(delta.dim), cell_size_m=float(delta.cell_size_m),
                             base_version=int(delta.base_version), version=int(delta.version),
                             scene_names=list(delta.scene_names), temperature=float(delta.temperature))
    message.header.frame_id = delta.frame_id
    message.header.stamp = time_message(stamp_ns)
    for name, column in COLUMNS.items():
        setattr(message, name, bytes_field(np.asarray(getattr(delta, name)).astype(column.dtype, copy=False),
                                           column.typecode))
    message.checksum = checksum(message)
    return message


def checksum(message: MapCodeMessage) -> int:
    """Return the CRC-32 of a message without its field `checksum`."""
    stamp = message.header.stamp
    head = [stamp.sec, stamp.nanosec, message.header.frame_id, list(message.scene_names),
            [getattr(message, name) for name in SEALED],
            [len(getattr(message, name)) for name in COLUMNS]]
    crc = zlib.crc32(json.dumps(head).encode())
    for name in COLUMNS:
        crc = zlib.crc32(getattr(message, name), crc)
    return crc


def size_bytes(message: MapCodeMessage) -> int:
    """Return the size of a message's columns in bytes."""
    return sum(len(getattr(message, name)) * np.dtype(column.dtype).itemsize for name, column in COLUMNS.items())


def map_delta(message: MapCodeMessage, max_bytes: float = 1024 * BYTES_PER_MB) -> MapDelta:
    """Return the map delta of a message.

    Raises:
        RosError: too large, damaged, arrays of different lengths, a duplicate id, an empty or too long name.
        MapError: see `MapDelta.validate`.
    """
    _check_head(message, max_bytes)
    delta = MapDelta(map_id=message.map_id, encoder=message.encoder, dim=message.dim, frame_id=message.header.frame_id,
                     cell_size_m=message.cell_size_m, base_version=message.base_version, version=message.version,
                     scene_names=list(message.scene_names), temperature=message.temperature, **_arrays(message))
    for name in ("ids", "keyframe_ids"):
        if len(np.unique(getattr(delta, name))) != len(getattr(delta, name)):
            raise RosError(f"map_code {name}", "must name each row once", "a duplicate id")
    # a receiver allocates a table up to the largest id, so ids are limited to what fits the largest message
    delta.validate(int(max_bytes / (message.dim + ROW_BYTES)))
    return delta


def _check_head(message: MapCodeMessage, max_bytes: float) -> None:
    size = size_bytes(message)
    if size > max_bytes:
        raise RosError("map_code", f"must have at most {max_bytes / BYTES_PER_MB:g} MB",
                       f"{size / BYTES_PER_MB:.1f} MB", "raise map_topic.max_message_mb if the sender is trusted")
    if not 1 <= message.dim <= MAX_DIM:
        raise RosError("map_code dim", f"must lie in [1, {MAX_DIM}]", message.dim)
    if len(message.scene_names) > MAX_SCENES:
        raise RosError("map_code scene_names", f"must be at most {MAX_SCENES}", len(message.scene_names))
    for name, text in [*((name, getattr(message, name)) for name in TEXTS),
                       *(("scene", s) for s in message.scene_names)]:
        if not 1 <= len(text) <= MAX_TEXT:
            raise RosError(f"map_code {name}", f"must have 1 to {MAX_TEXT} characters", len(text))
    for name, text in (("source", message.source), ("frame_id", message.header.frame_id)):
        if len(text) > MAX_TEXT:
            raise RosError(f"map_code {name}", f"must have at most {MAX_TEXT} characters", len(text))
    found = checksum(message)
    if found != message.checksum:
        raise RosError("map_code", f"must have the checksum {message.checksum} that it was sent with", found,
                       "it was damaged in transport; the next snapshot repairs the map")


def _arrays(message: MapCodeMessage) -> dict[str, Any]:
    """Return copies of all arrays, shaped into rows, after checking their sizes against each other."""
    arrays = {}
    for name, column in COLUMNS.items():
        values: np.ndarray = np.array(getattr(message, name), column.dtype)
        width, rows = column.width or message.dim, len(getattr(message, column.rows))
        if len(values) != rows * width:
            raise RosError(f"map_code {name}", f"must have {rows} * {width} numbers", len(values))
        arrays[name] = values if width == 1 and column.width == 1 else values.reshape(rows, width)
    return arrays
