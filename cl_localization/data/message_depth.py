"""Depth images of ROS messages as metres: the one reading that nodes and the reader of bags share.

RVL is a lossless code of 16-bit depth images (A. D. Wilson, "Fast lossless depth image compression", ISS 2017): a row
of numbers, each in groups of three bits with a fourth that says whether more follow, lowest group first; eight groups
fill a 32-bit word from its highest bits. The numbers are runs: how many zeros, how many readings, and each reading's
difference to the one before it, its sign in the lowest bit.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from cl_localization.data.files import MAX_IMAGE_PIXELS
from cl_localization.data.images import check_size, clean_depth, decode_depth, depth_in_metres
from cl_localization.data.message_images import pixels_of
from cl_localization.errors import DataError

GROUPS_PER_WORD, GROUP_BITS = 8, 3
MAX_GROUPS = 10
"""Groups of the longest number: a 30-bit count."""

MAX_BYTES_PER_PIXEL = 8
"""A reading between two zeros takes 4 bytes at most."""

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


def encoding_of(message: Any) -> str:
    """Return the encoding of an Image or CompressedImage, without what its transport adds."""
    return str(getattr(message, "encoding", None) or message.format.partition(";")[0].strip())


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
    check_size(width, height, thing, max_pixels)
    return depth_in_metres(decode_rvl(data[RVL_SIZE.size:], width, height, thing), unit_m, thing)


CODECS = {"compressedDepth": decode_depth, "compressedDepth png": decode_depth, "compressedDepth rvl": _decode_rvl}
"""What the transport compressedDepth calls its formats; the first is of old releases."""


def decode_rvl(data: bytes, width_px: int, height_px: int, thing: str) -> np.ndarray:
    """Return the (H, W) uint16 image of RVL data; sizes are checked by the caller.

    Raises:
        DataError: data that ends early, holds more than the image, or no such numbers.
    """
    pixels = width_px * height_px
    if len(data) > MAX_BYTES_PER_PIXEL * pixels + GROUPS_PER_WORD:
        raise DataError(thing, f"must have at most {MAX_BYTES_PER_PIXEL} bytes a pixel", f"{len(data)} bytes")
    numbers = _numbers(data, thing)
    image = np.zeros(pixels, np.uint16)
    is_difference, is_reading = np.zeros(len(numbers), bool), np.zeros(pixels, bool)
    pixel = position = 0
    while pixel < pixels:
        if position + 2 > len(numbers):
            raise DataError(thing, "must hold all of its pixels", f"{pixel} of {pixels}", "it is cut")
        pixel += int(numbers[position])
        readings = int(numbers[position + 1])
        position += 2
        if pixel + readings > pixels or position + readings > len(numbers):
            raise DataError(thing, f"must hold {pixels} pixels", f"{pixel + readings} or more", "it is damaged")
        is_difference[position:position + readings] = is_reading[pixel:pixel + readings] = True
        position, pixel = position + readings, pixel + readings
    coded = numbers[is_difference]
    image[is_reading] = np.cumsum((coded >> 1) ^ -(coded & 1)).astype(np.uint16)  # the codec wraps at 16 bits, too
    return image.reshape(height_px, width_px)


def _numbers(data: bytes, thing: str) -> np.ndarray:
    """Return the numbers (N,) int64 of the code; groups after the last whole one are padding."""
    words = np.frombuffer(data + bytes(-len(data) % 4), "<u4")
    shifts = np.arange(28, -4, -4, dtype=np.uint32)
    groups = ((words[:, None] >> shifts) & 0xF).astype(np.int64).ravel()
    ends = np.flatnonzero(groups < GROUPS_PER_WORD)
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if len(ends) and lengths.max() > MAX_GROUPS:
        raise DataError(thing, f"must hold numbers of at most {GROUP_BITS * MAX_GROUPS} bits",
                        f"{GROUP_BITS * lengths.max()} bits", "it is damaged")
    whole = int(lengths.sum())
    places = np.arange(whole) - np.repeat(starts, lengths)
    parts = (groups[:whole] & (GROUPS_PER_WORD - 1)) << (GROUP_BITS * places)
    return np.add.reduceat(parts, starts) if len(starts) else parts
