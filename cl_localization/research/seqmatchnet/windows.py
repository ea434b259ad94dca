"""Windows of L images around each image of a traverse, which never cross the end of an unbroken stretch."""

from __future__ import annotations

import numpy as np

from cl_localization.errors import DataError


def centred_windows(bounds: np.ndarray, count: int, sequence_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return windows (N, L) of image numbers around each image, moved inwards at the ends of its stretch, and which
    images have one.

    Image i has the window [i - L // 2, i + L - L // 2) where that fits; in a stretch shorter than L it has none
    (zeros).

    Raises:
        DataError: no stretch is as long as L.
    """
    begin, end = stretch_ends(bounds, count)
    fits = end - begin >= sequence_length
    if not fits.any():
        raise DataError("traverse", f"must have {sequence_length} images in a row for that sequence length",
                        int((end - begin).max(initial=0)), "choose a shorter sequence length")
    first = np.clip(np.arange(count) - sequence_length // 2, begin, np.maximum(end - sequence_length, begin))
    windows = first[:, None] + np.arange(sequence_length)
    windows[~fits] = 0
    return windows, fits


def inner_images(bounds: np.ndarray, count: int, sequence_length: int) -> np.ndarray:
    """Return which images (N,) have a whole window around them without its being moved."""
    begin, end = stretch_ends(bounds, count)
    first = np.arange(count) - sequence_length // 2
    return (first >= begin) & (first + sequence_length <= end)


def stretch_ends(bounds: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return first (N,) and one past the last image (N,) of the stretch of each image; both 0 where there is none."""
    begin, end = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for first, last in bounds:
        begin[first:last], end[first:last] = first, last
    return begin, end
