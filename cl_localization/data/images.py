"""Colour and depth images from files and messages, checked before they are decoded."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np

from cl_localization.data.files import read_bytes
from cl_localization.data.limits import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS
from cl_localization.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")
"""File formats whose size is known from their header, so that it can be checked before decoding."""

JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
UNKNOWN_DEPTH_16BIT = 65535
SIXTEEN_TO_EIGHT_BIT = 257
OPAQUE = 255


def read_rgb(path: Path) -> np.ndarray:
    """Return an image file as (H, W, 3) uint8 RGB; see `decode_rgb`."""
    return decode_rgb(read_bytes(path, MAX_IMAGE_BYTES), f"image {path}")


def read_depth(path: Path, unit_m: float) -> np.ndarray:
    """Return a depth image file as (H, W) float32 metres; see `decode_depth`."""
    return decode_depth(read_bytes(path, MAX_IMAGE_BYTES), unit_m, f"depth image {path}")


def decode_rgb(data: bytes, thing: str) -> np.ndarray:
    """Return an encoded image as (H, W, 3) uint8 RGB.

    Grey images get three equal channels, transparency is blended on white, 16 bits are scaled to 8. A rotation noted in
    EXIF
    data is not applied: calibrations and poses are of the stored pixels.

    Raises:
        DataError: unreadable, too large, or neither 8 nor 16 bits.
    """
    return to_rgb(_decode(data, thing), thing)


def decode_depth(data: bytes, unit_m: float, thing: str) -> np.ndarray:
    """Return an encoded depth image as (H, W) float32 metres, 0 where unknown; 0 and 65535 are unknown.

    Args:
        unit_m: metres of one step of its values.

    Raises:
        DataError: unreadable, too large, or not one channel of 16 bits.
    """
    raw = _decode(data, thing)
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise DataError(thing, "must have one channel of 16 bits", f"{raw.shape} {raw.dtype}", "is it a depth image?")
    depth_m = raw.astype(np.float32) * np.float32(unit_m)
    depth_m[raw == UNKNOWN_DEPTH_16BIT] = 0
    return depth_m


def clean_depth(depth_m: np.ndarray) -> np.ndarray:
    """Return depth (H, W) as float32 metres with NaN, infinite and negative values set to 0, unknown."""
    depth_m = np.asarray(depth_m, np.float32)
    return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(0))


def to_rgb(pixels: np.ndarray, thing: str) -> np.ndarray:
    """Return OpenCV pixels (grey, BGR or BGRA; 8 or 16 bits) as (H, W, 3) uint8 RGB. Raises DataError for others."""
    if pixels.dtype == np.uint16:
        pixels = (pixels // SIXTEEN_TO_EIGHT_BIT).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise DataError(thing, "must have 8 or 16 bits a channel", pixels.dtype, "convert it to 8 bits")
    if pixels.ndim == 2:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    if pixels.shape[2] == 4:
        return _blend_on_white(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA))
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _blend_on_white(rgba: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:].astype(np.uint16)
    blended = rgba[..., :3] * alpha + np.uint16(OPAQUE) * (OPAQUE - alpha)
    return ((blended + OPAQUE // 2) // OPAQUE).astype(np.uint8)


def _decode(data: bytes, thing: str) -> np.ndarray:
    width_px, height_px = header_size(data, thing)
    if width_px * height_px > MAX_IMAGE_PIXELS:
        raise DataError(thing, f"must not have more than {MAX_IMAGE_PIXELS} pixels", f"{width_px}x{height_px}",
                        "scale it down")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(thing, "cannot be decoded", f"{len(data)} bytes", "it may be truncated: copy it again")
    return pixels


def header_size(data: bytes, thing: str) -> tuple[int, int]:
    """Return width and height of an encoded image from its header alone.

    Raises:
        DataError: neither PNG, JPEG, PGM nor PPM, or a header without a size.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
            return _netpbm_size(data)
    except (struct.error, IndexError, ValueError):
        raise DataError(thing, "has a damaged header", f"{len(data)} bytes", "copy it again") from None
    raise DataError(thing, "must be a PNG, JPEG, PGM or PPM image", f"first bytes {data[:4]!r}", "convert it")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while True:
        while data[position] == 0xFF:
            position += 1
        marker, length = data[position], struct.unpack(">H", data[position + 1:position + 3])[0]
        if marker in JPEG_SIZE_MARKERS:
            height_px, width_px = struct.unpack(">HH", data[position + 4:position + 8])
            return width_px, height_px
        position += 1 + max(length, 2)


def _netpbm_size(data: bytes) -> tuple[int, int]:
    lines = [line.split(b"#")[0] for line in data[2:1000].split(b"\n")]
    words = b" ".join(lines).split()
    return int(words[0]), int(words[1])
