"""RVL, the lossless code of 16-bit depth images (A. D. Wilson, "Fast lossless depth image compression", ISS 2017).

A row of numbers, each in groups of three bits with a fourth that says whether more follow, lowest group first; eight
groups fill a 32-bit word from its highest bits. The numbers are runs: how many zeros, how many readings, and each
reading's difference to the one before it, its sign in the lowest bit.
"""

from __future__ import annotations

import numpy as np

from cl_localization.errors import DataError

GROUPS_PER_WORD, GROUP_BITS = 8, 3
MAX_GROUPS = 10
"""Groups of the longest number: a 30-bit count."""

MAX_BYTES_PER_PIXEL = 8
"""A reading between two zeros takes 4 bytes at most."""


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
