"""Colour and depth images from files and messages, checked before they are decoded."""

from __future__ import annotations

import io
import math
import os
import struct
from pathlib import Path

import cv2
import numpy as np

from cl_localization.data.files import MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, names_file, read_bytes
from cl_localization.data.stamps import natural_key
from cl_localization.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".ppm", ".pgm")
"""File formats whose size is known from their header, so that it can be checked before decoding."""

DEPTH_SUFFIXES = (".png", ".exr", ".npy", ".tiff", ".tif", ".pgm")
"""File formats of depth; floating point is metres."""

EXR_MAGIC = b"\x76\x2f\x31\x01"
TIFF_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
TIFF_WIDTH, TIFF_HEIGHT, TIFF_SHORT, TIFF_LONG = 256, 257, 3, 4
JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
JPEG_MISPLACED = frozenset({0x00, 0xD8, 0xD9, 0xDA})
MAX_JPEG_SEGMENTS = 10_000
UNKNOWN_DEPTH_16BIT = 65535
SIXTEEN_TO_EIGHT_BIT = 257
OPAQUE = 255


def read_rgb(path: Path) -> np.ndarray:
    """Return an image file as (H, W, 3) uint8 RGB; see `decode_rgb`."""
    return decode_rgb(read_bytes(path, MAX_IMAGE_BYTES), f"image {path}")


def read_depth(path: Path, unit_m: float) -> np.ndarray:
    """Return a depth file as (H, W) float32 metres: an image, see `decode_depth`, or NumPy's `.npy`."""
    data, thing = read_bytes(path, MAX_IMAGE_BYTES), f"depth image {path}"
    return depth_in_metres(_loaded(data, thing), unit_m, thing) if path.suffix.lower() == ".npy" \
        else decode_depth(data, unit_m, thing)


def decode_rgb(data: bytes, thing: str) -> np.ndarray:
    """Return an encoded image as (H, W, 3) uint8 RGB.

    Grey images get three equal channels, transparency is blended on white, 16 bits are scaled to 8. A rotation noted in
    EXIF data is not applied: calibrations and poses are of the stored pixels.

    Raises:
        DataError: unreadable, too large, or neither 8 nor 16 bits.
    """
    return to_rgb(decode_image(data, thing), thing)


def decode_depth(data: bytes, unit_m: float, thing: str, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """Return an encoded depth image as (H, W) float32 metres, 0 where unknown; 0 and 65535 are unknown.

    Args:
        unit_m: metres of one step of its values.

    Raises:
        DataError: unreadable, too large, or not one channel of 16 bits or of floating point, which is metres.
    """
    return depth_in_metres(decode_image(data, thing, max_pixels), unit_m, thing)


def depth_in_metres(raw: np.ndarray, unit_m: float, thing: str) -> np.ndarray:
    """Return decoded depth (H, W), 16 bits in steps of `unit_m` or floating-point metres, as float32 metres.

    Raises:
        DataError: another type or several channels.
    """
    if raw.ndim == 3 and raw.dtype.kind == "f":  # EXR comes with three equal channels
        raw = raw[..., 0]
    if raw.ndim == 2 and raw.dtype.kind == "f":
        return clean_depth(raw)
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise DataError(thing, "must have one channel of 16 bits", f"{raw.shape} {raw.dtype}", "is it a depth image?")
    depth_m = raw.astype(np.float32) * np.float32(unit_m)
    depth_m[raw == UNKNOWN_DEPTH_16BIT] = 0
    return depth_m


def _loaded(data: bytes, thing: str) -> np.ndarray:
    """Return the array of a `.npy` file, (H, W) or (H, W, 1); its header is checked before anything is made."""
    try:
        stream = io.BytesIO(data)
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read_header(stream)
        if kind.hasobject or kind.itemsize * math.prod(shape) > len(data):
            raise ValueError(f"{shape} {kind} in {len(data)} bytes")
        pixels = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, TypeError) as error:
        raise DataError(thing, "must be an array of numbers", error, "it may be truncated: copy it again") from None
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


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


def decode_image(data: bytes, thing: str, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """Return the pixels of an encoded image as OpenCV decodes them, checked by its header first: a small file cannot
    claim a huge image.

    Raises:
        DataError: unreadable or too large.
    """
    check_size(*header_size(data, thing), thing, max_pixels)
    if data[:4] == EXR_MAGIC:
        os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # OpenCV reads it at its first EXR image
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(thing, "cannot be decoded", f"{len(data)} bytes", "it may be truncated: copy it again")
    return pixels


def check_size(width_px: int, height_px: int, thing: str, max_pixels: int) -> None:
    """Raise DataError for the size of an image that has no pixels or too many."""
    if not 0 < width_px * height_px <= max_pixels:
        raise DataError(thing, f"must have 1 to {max_pixels} pixels", f"{width_px}x{height_px}", "scale it down")


def header_size(data: bytes, thing: str) -> tuple[int, int]:
    """Return width and height of an encoded image from its header alone.

    Raises:
        DataError: none of these formats, or a header without a size.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", data[16:24])
        if data.startswith(b"\xff\xd8"):
            return _jpeg_size(data)
        if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
            return _netpbm_size(data)
        if data[:4] == EXR_MAGIC:
            return _exr_size(data)
        if data[:4] in TIFF_ORDERS:
            return _tiff_size(data, TIFF_ORDERS[data[:4]])
    except (struct.error, IndexError, ValueError):
        raise DataError(thing, "has a damaged header", f"{len(data)} bytes", "copy it again") from None
    raise DataError(thing, "must be a PNG, JPEG, PGM, PPM, TIFF or EXR image", f"first bytes {data[:4]!r}",
                    "convert it")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return the size in a JPEG's frame header. It accepts the same bytes between segments as the decoder does, which
    could otherwise decode another size."""
    position = 2
    for _ in range(MAX_JPEG_SEGMENTS):
        if data[position] != 0xFF or data[position + 1] in JPEG_MISPLACED:
            break
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in JPEG_STANDALONE:
            position += 2
        elif marker in JPEG_SIZE_MARKERS:
            height_px, width_px = struct.unpack(">HH", data[position + 5:position + 9])
            return width_px, height_px
        elif (length := int(struct.unpack(">H", data[position + 2:position + 4])[0])) >= 2:
            position += 2 + length
        else:
            break
    raise ValueError("no frame header")


def _netpbm_size(data: bytes) -> tuple[int, int]:
    lines = [line.split(b"#")[0] for line in data[2:1000].split(b"\n")]
    words = b" ".join(lines).split()
    return int(words[0]), int(words[1])


def _exr_size(data: bytes) -> tuple[int, int]:
    start = data.index(b"dataWindow\0box2i\0", 0, 10_000) + len(b"dataWindow\0box2i\0") + 4
    left, top, right, bottom = struct.unpack("<iiii", data[start:start + 16])
    if right < left or bottom < top:
        raise ValueError("an empty window")
    return right - left + 1, bottom - top + 1


def _tiff_size(data: bytes, order: str) -> tuple[int, int]:
    """Return the size in a TIFF's first directory, whose entries are of 12 bytes: tag, type, count, value."""
    offset = struct.unpack(f"{order}I", data[4:8])[0]
    sizes = {}
    for number in range(struct.unpack(f"{order}H", data[offset:offset + 2])[0]):
        entry = data[offset + 2 + 12 * number:offset + 14 + 12 * number]
        tag, kind = struct.unpack(f"{order}HH", entry[:4])
        if kind in (TIFF_SHORT, TIFF_LONG):
            sizes[tag] = struct.unpack(order + ("H2x" if kind == TIFF_SHORT else "I"), entry[8:])[0]
    if not (sizes.get(TIFF_WIDTH) and sizes.get(TIFF_HEIGHT)):
        raise ValueError("no size")
    return sizes[TIFF_WIDTH], sizes[TIFF_HEIGHT]


def image_files(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """Return the images in a folder in the order of their names; none where it is not there.

    Hidden files are left out: macOS puts a `._NAME` beside each file it copies. So is what is no file.
    """
    if not folder.is_dir():
        return []
    found = [file for file in folder.iterdir()
             if file.suffix.lower() in suffixes and not file.name.startswith(".") and names_file(file)]
    return sorted(found, key=lambda file: natural_key(file.stem))
