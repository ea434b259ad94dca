"""Depth as Record3D's `.r3d` holds it: 32-bit floats in metres, compressed by Apple's LZFSE; the file tells no size."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import numpy as np

from cl_localization.data.files import read_bytes
from cl_localization.data.images import clean_depth
from cl_localization.errors import DataError

SUFFIX = ".depth"
BLOCKS = b"bvx"
"""How each block of LZFSE begins."""

MAX_BYTES = 10_000_000
"""Of a compressed file: phones make 50 to 500 kB."""


def read_apple_depth(path: Path, image_size_px: tuple[int, int]) -> np.ndarray:
    """Return the depth (H, W) float32 metres of a file, 0 where unknown, in the ratio of its image.

    Args:
        image_size_px: width and height of the image, which has the same view.

    Raises:
        DataError: the package `lzfse` is missing, the file is damaged, or its numbers do not fill the ratio.
    """
    thing, data = f"depth image {path}", read_bytes(path, MAX_BYTES)
    lzfse = import_lzfse(thing)
    if not data.startswith(BLOCKS):
        raise DataError(thing, "must be compressed by LZFSE", f"first bytes {data[:4]!r}", "copy it again")
    try:
        raw = lzfse.decompress(data)
    except (lzfse.error, MemoryError, ValueError) as error:
        raise DataError(thing, "cannot be decompressed", error, "it may be truncated: copy it again") from None
    values = np.frombuffer(raw[:len(raw) // 4 * 4], np.float32)
    width = round(math.sqrt(len(values) * image_size_px[0] / image_size_px[1]))
    if width == 0 or len(values) % width or len(raw) % 4:
        raise DataError(thing, f"must have the ratio of its image of {image_size_px[0]}x{image_size_px[1]}",
                        f"{len(raw)} bytes", "leave it out with ?depth=false")
    return clean_depth(values.reshape(-1, width))


def import_lzfse(thing: str) -> ModuleType:
    """Return the module that decompresses. Raises DataError where it is not installed."""
    try:
        import lzfse
    except ImportError:
        raise DataError(thing, "is compressed by Apple's LZFSE and needs the package lzfse",
                        remedy="pip install lzfse, or leave depth out with ?depth=false") from None
    return lzfse
