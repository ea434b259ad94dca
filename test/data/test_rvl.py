"""RVL against a plain encoder, written number by number from the paper's description."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.rvl import decode_rvl
from cl_localization.errors import DataError
from data.rvl_encoder import encode_rvl


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]))
def test_depth_comes_back_exactly(width, height, seed, zeros):
    random = np.random.default_rng(seed)
    depth = random.integers(0, 65536, (height, width)).astype(np.uint16)
    depth[random.random(depth.shape) < zeros] = 0
    np.testing.assert_array_equal(decode_rvl(encode_rvl(depth), width, height, "depth"), depth)


def test_the_paper_s_layout_is_read():
    """Two zeros, two readings: 5, 4 as the differences 5 and -1, coded 10 and 1, in groups of three bits."""
    groups = [2, 2, 0b1010, 1, 1]
    word = int("".join(f"{group:x}" for group in groups).ljust(8, "0"), 16)
    assert decode_rvl(struct.pack("<I", word), 4, 1, "depth").tolist() == [[0, 0, 5, 4]]


@pytest.mark.parametrize(("data", "match"), [
    (b"", "depth must hold all of its pixels, found 0 of 4"),
    (b"\x00\x00\x00\x77", "depth must hold 4 pixels, found 14"),
    (b"\xff" * 12, "depth must hold numbers of at most 30 bits"),
    (b"\xff" * 41, "depth must have at most 8 bytes a pixel, found 41 bytes")])
def test_damaged_data_is_refused(data, match):
    data += b"" if len(data) != 12 else b"\x00" * 4
    with pytest.raises(DataError, match=match):
        decode_rvl(data, 4, 1, "depth")


@given(st.binary(max_size=64), st.integers(1, 20))
def test_random_data_decodes_or_is_refused(data, width):
    with contextlib.suppress(DataError):
        assert decode_rvl(data, width, 2, "depth").shape == (2, width)
