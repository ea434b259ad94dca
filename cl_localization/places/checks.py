"""What goes into place recognition is checked here, once; inside, it is trusted."""

from __future__ import annotations

import numpy as np

from cl_localization.errors import DataError


def checked_descriptors(values: np.ndarray, thing: str, width: int | None = None) -> np.ndarray:
    """Return descriptors (N, D) as contiguous float32.

    Args:
        thing: what they are called in errors.
        width: the D that is needed; any when None.

    Raises:
        DataError: not two-dimensional, empty, of another width, or not finite.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise DataError(thing, "must be numbers of shape (N, D)", f"{values.shape} {values.dtype}")
    if width is not None and values.shape[1] != width:
        raise DataError(thing, f"must be {width} numbers wide", values.shape[1],
                        "use descriptors of the kind that the model or index was made with")
    with np.errstate(over="ignore"):
        values = np.array(values, np.float32, order="C")  # a copy: files are mapped and cannot be written
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise DataError(thing, "must be finite", f"NaN or infinity in row {wrong[0]} and {len(wrong) - 1} more",
                        "compute those descriptors again")
    return values


def checked_length(sequence_length: int, images: int, thing: str) -> int:
    """Return the sequence length L if there are that many images.

    Raises:
        DataError: L is below 1 or larger than the number of images.
    """
    if sequence_length < 1:
        raise DataError("sequence length", "must be at least 1", sequence_length)
    if images < sequence_length:
        raise DataError(thing, f"must have at least {sequence_length} images in a row for that sequence length", images,
                        "choose a shorter sequence length or a longer traverse")
    return sequence_length


def checked_width(width: int, wanted: int, thing: str) -> int:
    """Return the width of descriptors if a model takes it.

    Raises:
        DataError: it takes another.
    """
    if width != wanted:
        raise DataError(thing, f"must be {wanted} numbers wide for this model", width,
                        "describe images as the model was trained")
    return width
