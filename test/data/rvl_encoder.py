"""RVL written number by number, to test the decoder with."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np


def encode_rvl(depth: np.ndarray) -> bytes:
    """Return the RVL data of an (H, W) uint16 image."""
    groups: list[int] = []
    pixels, place, previous = depth.ravel().tolist(), 0, 0
    while place < len(pixels):
        zeros = _run(pixels, place, lambda value: value == 0)
        readings = _run(pixels, place + zeros, lambda value: value != 0)
        _put(groups, zeros)
        _put(groups, readings)
        for value in pixels[place + zeros:place + zeros + readings]:
            difference = value - previous
            _put(groups, 2 * difference if difference >= 0 else -2 * difference - 1)
            previous = value
        place += zeros + readings
    groups += [0] * (-len(groups) % 8)
    words = [int("".join(f"{group:x}" for group in groups[start:start + 8]), 16) for start in range(0, len(groups), 8)]
    return struct.pack(f"<{len(words)}I", *words)


def _run(pixels: list[int], start: int, holds: Callable[[int], bool]) -> int:
    end = start
    while end < len(pixels) and holds(pixels[end]):
        end += 1
    return end - start


def _put(groups: list[int], number: int) -> None:
    while number > 7:
        groups.append(8 | number & 7)
        number >>= 3
    groups.append(number)
