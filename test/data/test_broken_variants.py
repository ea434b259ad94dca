"""Files of every layout, cut, zeroed, mixed up, with NaN and huge numbers: frames or an error of this package."""

from __future__ import annotations

import contextlib
import random
import re

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import LocalizationError
from data.layout_makers import LAYOUTS, rendered_frames

VARIANTS = 25
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
KINDS = ("cut", "zeroed", "swapped", "nan", "huge")


@pytest.fixture(scope="module")
def frames():
    """Two frames."""
    return rendered_frames(2)


def replaced_number(data, text, binary, draw):
    """Return data with one of its numbers replaced: as text, or as eight bytes where there are no digits."""
    numbers = list(NUMBER.finditer(data))
    if numbers:
        chosen = draw.choice(numbers)
        return data[:chosen.start()] + text + data[chosen.end():]
    start = draw.randrange(max(1, len(data) - 8))
    return data[:start] + binary + data[start + 8:]


def broken(data, kind, draw):
    """Return data that is broken in one way."""
    start, other = draw.randrange(len(data)), draw.randrange(len(data))
    if kind == "cut":
        return data[:start]
    if kind == "zeroed":
        return data[:start] + bytes(len(data[start:start + 40])) + data[start + 40:]
    if kind == "swapped":
        return data[:start] + data[other:other + 16] + data[start + 16:]
    if kind == "nan":
        return replaced_number(data, b"nan", np.float64(np.nan).tobytes(), draw)
    return replaced_number(data, b"9" * draw.choice((5, 12, 30)), b"\xff" * 8, draw)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_broken_file_is_an_error_or_frames(frames, layout, tmp_path):
    place, draw = LAYOUTS[layout][0](tmp_path, frames), random.Random(layout)
    texts = sorted(file for file in tmp_path.rglob("*") if file.is_file() and file.suffix != ".png")
    everything = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    refused = 0
    for number in range(VARIANTS):
        file = draw.choice(everything if number % 5 == 0 else texts)
        whole = file.read_bytes()
        file.write_bytes(broken(whole, KINDS[number % len(KINDS)], draw))
        refused += 1
        with contextlib.suppress(LocalizationError):
            for frame in open_sequence(place):
                assert frame.world_T_cam is None or np.isfinite(frame.world_T_cam).all()
                assert frame.depth_m is None or np.isfinite(frame.depth_m).all()
            refused -= 1
        file.write_bytes(whole)
    assert refused > 0
    assert len(list(open_sequence(place))) == len(frames)
