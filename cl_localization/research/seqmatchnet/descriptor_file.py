"""Stored descriptors: .npy files of shape (images, width), read without running anything from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.traverse import Traverse, image_numbers, whole

MAX_BYTES = 16_000_000_000
"""Largest file: 1,000,000 descriptors of 4096 floats."""


def read_descriptors(path: Path) -> np.ndarray:
    """Return the array (N, D) of a .npy file, as float32; large files are mapped, not read at once.

    Raises:
        DataError: missing, no .npy file, truncated, not numbers, or not two-dimensional.
    """
    thing = f"descriptors {path}"
    if not path.is_file():
        raise DataError(thing, "must be a file", "nothing there" if not path.exists() else "a folder", "check the path")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(thing, f"must not be larger than {MAX_BYTES} bytes", path.stat().st_size,
                        "is it the right file?")
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(thing, "must be a .npy file of numbers", error, "it may be truncated: copy it again") from None
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "fiu" or 0 in values.shape:
        found = f"{values.shape} {values.dtype}" if isinstance(values, np.ndarray) else "an archive"
        raise DataError(thing, "must hold one (images, width) array of numbers", found)
    return values


def descriptor_traverse(path: Path) -> Traverse:
    """Return a file of descriptors as a traverse whose positions are the images' numbers."""
    values = read_descriptors(path)
    return Traverse(str(path), [f"{index:06d}" for index in range(len(values))], image_numbers(len(values)),
                    whole(len(values)), descriptors=values)
