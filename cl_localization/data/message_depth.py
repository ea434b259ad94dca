"""Depth images of ROS messages as metres: the one reading that nodes and the reader of bags share."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from cl_localization.data.images import clean_depth, decode_depth, depth_in_metres
from cl_localization.data.limits import MAX_IMAGE_PIXELS
from cl_localization.data.message_images import pixels_of
from cl_localization.data.rvl import decode_rvl
from cl_localization.errors import DataError

DEPTH_TYPES = {"16UC1": np.uint16, "mono16": np.uint16, "32FC1": np.float32}
MILLIMETRE_M = 0.001

PARAMETERS = struct.Struct("<iff")
"""Begins compressedDepth: a number that is not used, and the two with which floats were quantized."""

RVL_SIZE = struct.Struct("<II")


def is_depth(message: Any) -> bool:
    """Return whether an Image or CompressedImage holds depth."""
    encoding = getattr(message, "encoding", None)
    return encoding in ("16UC1", "32FC1") if encoding is not None else str(message.format).startswith(
        ("16UC1", "32FC1"))


def depth_of(message: Any, thing: str, unit_m: float = MILLIMETRE_M, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """Return the depth of an Image or CompressedImage as (H, W) float32 metres, 0 where unknown.

    Args:
        unit_m: metres of a step of 16 bits; floats are metres.

    Raises:
        DataError: an unknown encoding, sizes that do not fit the data, too many pixels, or data that cannot be decoded.
    """
    if not hasattr(message, "encoding"):
        return _compressed_depth(bytes(message.data), str(message.format), thing, unit_m, max_pixels)
    if message.encoding not in DEPTH_TYPES:
        raise DataError(f"encoding of {thing}", f"must be one of {', '.join(DEPTH_TYPES)}", repr(message.encoding),
                        "publish depth as 16UC1 in millimetres or 32FC1 in metres")
    return depth_in_metres(pixels_of(message, DEPTH_TYPES[message.encoding], 1, thing, max_pixels), unit_m, thing)


def _compressed_depth(data: bytes, format: str, thing: str, unit_m: float, max_pixels: int) -> np.ndarray:
    """Return depth of a CompressedImage. With the transport compressedDepth floats are 16-bit steps of 1/depth."""
    encoding, _, codec = (part.strip() for part in format.partition(";"))
    if encoding not in DEPTH_TYPES or (codec not in CODECS and (encoding == "32FC1" or "compressedDepth" in codec)):
        raise DataError(f"format of {thing}", "must be 16UC1 or 32FC1, compressedDepth as png or rvl", repr(format),
                        "use raw depth")
    if codec not in CODECS:  # a PNG as such
        return decode_depth(data, unit_m, thing, max_pixels)
    if len(data) <= PARAMETERS.size:
        raise DataError(thing, "must hold an image", f"{len(data)} bytes", "it is cut")
    step_m, decode = 1.0 if encoding == "32FC1" else unit_m, CODECS[codec]
    depth = decode(data[PARAMETERS.size:], step_m, thing, max_pixels)
    if encoding != "32FC1":
        return depth
    _, scale, offset = PARAMETERS.unpack_from(data)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return clean_depth(np.where(depth > 0, np.float32(scale) / (depth - np.float32(offset)), 0))


def _decode_rvl(data: bytes, unit_m: float, thing: str, max_pixels: int) -> np.ndarray:
    """Return depth of RVL that begins with its size, as `decode_depth` does of an image file."""
    if len(data) < RVL_SIZE.size:
        raise DataError(thing, "must begin with its size", f"{len(data)} bytes", "it is cut")
    width, height = RVL_SIZE.unpack_from(data)
    if not 0 < width * height <= max_pixels:
        raise DataError(thing, f"must have 1 to {max_pixels} pixels", f"{width}x{height}")
    return depth_in_metres(decode_rvl(data[RVL_SIZE.size:], width, height, thing), unit_m, thing)


CODECS = {"compressedDepth": decode_depth, "compressedDepth png": decode_depth, "compressedDepth rvl": _decode_rvl}
"""What the transport compressedDepth calls its formats; the first is of old releases."""
