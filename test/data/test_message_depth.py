"""Depth messages as arrays."""

from __future__ import annotations

import contextlib
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.message_depth import decode_rvl, depth_of, is_depth
from cl_localization.errors import DataError
from data.bag_makers import compressed, image
from data.makers import make_image
from data.rvl_encoder import encode_rvl

RGB = make_image(1)


def test_depth_of_sixteen_bits_is_millimetres():
    assert depth_of(image(np.array([[0, 1500, 65535]], np.uint16), "16UC1"),
                    "depth") == pytest.approx(np.array([[0, 1.5, 0]]))


def test_depth_of_floats_is_metres_and_nonsense_unknown():
    message = image(np.array([[np.nan, np.inf, -1, 2.5]], np.float32), "32FC1", padding=4)
    assert depth_of(message, "depth").tolist() == [[0, 0, 0, 2.5]]


def test_depth_in_either_byte_order_and_of_any_unit_is_read():
    assert depth_of(image(np.array([[0, 1500]], np.uint16), "16UC1", big=True), "depth", 0.0001).tolist() == [
        [0, pytest.approx(0.15)]]


@given(st.sampled_from(["16UC1; compressedDepth png", "16UC1; compressedDepth rvl", "32FC1; compressedDepth rvl",
                        "16UC1; png compressed"]), st.binary(max_size=300))
def test_random_compressed_depth_is_refused(format, data):
    with pytest.raises(DataError, match="depth"):
        depth_of(compressed(data, format), "depth")


def test_depth_of_more_pixels_than_allowed_is_refused_before_it_is_decoded():
    huge = bytes(12) + struct.pack("<II", 60_000, 60_000) + bytes(8)
    with pytest.raises(DataError, match="depth must have 1 to .* pixels, found 60000x60000"):
        depth_of(compressed(huge, "16UC1; compressedDepth rvl"), "depth")
    with pytest.raises(DataError, match="depth must have 1 to 700 pixels, found 32x24"):
        depth_of(image(np.ones((24, 32), np.uint16), "16UC1"), "depth", max_pixels=700)


@pytest.mark.parametrize(("format", "before"),
                         [("16UC1; compressedDepth png", b"\0" * 12), ("16UC1; png compressed ", b"")])
def test_compressed_depth_is_decoded(format, before):
    data = before + cv2.imencode(".png", np.array([[0, 1500]], np.uint16))[1].tobytes()
    assert depth_of(compressed(data, format), "depth") == pytest.approx(np.array([[0, 1.5]]))


def test_quantized_float_depth_is_turned_round():
    depth_m, scale, offset = np.array([[0.5, 1.5, 8.0]]), 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    steps = np.append(np.round(scale / depth_m + offset), [[0]], axis=1).astype(np.uint16)
    data = struct.pack("<iff", 0, scale, offset) + cv2.imencode(".png", steps)[1].tobytes()
    read_m = depth_of(compressed(data, "32FC1; compressedDepth png"), "depth")
    np.testing.assert_allclose(read_m, [[0.5, 1.5, 8.0, 0.0]], rtol=5e-3)


@pytest.mark.parametrize("format", ["16UC1; compressedDepth zstd", "32FC1; png compressed", "jpeg", "",
                                    "32FC1; compressedDepth jpeg"])
def test_depth_of_other_codecs_is_refused(format):
    with pytest.raises(DataError, match="format of depth must be 16UC1 or 32FC1, compressedDepth as png or rvl"):
        depth_of(compressed(b"x" * 20, format), "depth")


def test_colour_is_no_depth():
    with pytest.raises(DataError, match="encoding of depth must be one of 16UC1, mono16, 32FC1, found 'rgb8'"):
        depth_of(image(RGB, "rgb8"), "depth")
    assert [is_depth(message) for message in (image(RGB, "rgb8"), compressed(b"x", "jpeg"),
                                              compressed(b"x", "16UC1; png"))] == [False, False, True]


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
