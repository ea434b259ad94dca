"""Image messages as arrays."""

from __future__ import annotations

import contextlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.message_images import rgb_of
from cl_localization.errors import DataError
from data.bag_makers import compressed, image
from data.makers import make_image

RGB = make_image(1)


@pytest.mark.parametrize(("encoding", "pixels"), [
    ("rgb8", RGB), ("bgr8", RGB[..., ::-1]), ("8UC3", RGB[..., ::-1]), ("rgba8", np.dstack([RGB, RGB[..., :1]])),
    ("bgra8", np.dstack([RGB[..., ::-1], RGB[..., :1]]))])
@pytest.mark.parametrize("padding", [0, 7])
def test_colour_encodings_become_rgb(encoding, pixels, padding):
    assert np.array_equal(rgb_of(image(pixels, encoding, padding=padding), "image"), RGB)


@pytest.mark.parametrize("big", [False, True])
def test_grey_of_sixteen_bits_is_scaled_in_either_byte_order(big):
    grey = RGB[..., 0].astype(np.uint16) * 257
    assert np.array_equal(rgb_of(image(grey, "mono16", big=big), "image"), np.dstack([RGB[..., 0]] * 3))


@pytest.mark.parametrize(("encoding", "corner"), [("bayer_rggb8", 0), ("bayer_bggr8", 2)])
def test_a_bayer_mosaic_of_one_colour_becomes_that_colour(encoding, corner):
    mosaic = np.zeros((24, 32), np.uint8)
    mosaic[::2, ::2] = 200
    assert rgb_of(image(mosaic, encoding), "image")[8:16, 8:16].mean(axis=(0, 1)).argmax() == corner


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", [1, 0]), ("yuv422_yuy2", [0, 1])])
def test_grey_yuv_becomes_grey(encoding, order):
    pixels = np.stack([np.full((4, 6), 126, np.uint8), np.full((4, 6), 128, np.uint8)], axis=-1)[..., order]
    assert np.ptp(rgb_of(image(pixels, encoding), "image")) == 0


@pytest.mark.parametrize(("suffix", "exact"), [(".png", True), (".jpg", False)])
def test_compressed_images_are_decoded(suffix, exact):
    smooth = cv2.GaussianBlur(RGB, (0, 0), 4)
    data = cv2.imencode(suffix, smooth[..., ::-1])[1].tobytes()
    difference = np.abs(rgb_of(compressed(data, f"rgb8; {suffix[1:]} compressed bgr8"), "image").astype(int) - smooth)
    assert difference.max() <= (0 if exact else 12)


def test_an_unknown_encoding_is_named():
    with pytest.raises(DataError, match="encoding of image 7 must be one of rgb8, .* found 'nv24'"):
        rgb_of(image(RGB, "nv24"), "image 7")


@given(st.sampled_from(["rgb8", "mono8", "bgra8", "yuv422", "bayer_rggb8", "nv12", "nonsense"]),
       st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255),
       st.binary(max_size=300))
def test_random_images_are_decoded_or_refused(encoding, height, width, step, big, data):
    message = image(RGB, encoding)
    message.height, message.width, message.step, message.is_bigendian = height, width, step, big
    message.data = np.frombuffer(data, np.uint8)
    with contextlib.suppress(DataError):
        assert rgb_of(message, "image").shape == (height, width, 3)


def test_the_last_row_need_not_be_padded():
    message = image(RGB, "rgb8", padding=7)
    message.data = message.data[:-7]
    assert np.array_equal(rgb_of(message, "image"), RGB)
    message.data = message.data[:-1]
    with pytest.raises(DataError, match="image must have rows of at least 96 bytes, 24 of them, found step 103"):
        rgb_of(message, "image")


def test_more_pixels_than_allowed_are_refused():
    for message in (image(RGB, "rgb8"), image(RGB[..., 0], "nv12"),
                    compressed(cv2.imencode(".png", RGB)[1].tobytes(), "png")):
        with pytest.raises(DataError, match="image must have 1 to 700 pixels, found 32x24"):
            rgb_of(message, "image", 700)


def test_the_format_of_a_compressed_image_names_the_order_of_its_channels():
    data = cv2.imencode(".png", RGB)[1].tobytes()
    assert np.array_equal(rgb_of(compressed(data, "bgr8; png compressed rgb8"), "image"), RGB)


def test_a_compressed_mosaic_becomes_colours():
    mosaic = np.zeros((24, 32), np.uint8)
    mosaic[::2, ::2] = 200
    data = cv2.imencode(".png", mosaic)[1].tobytes()
    assert rgb_of(compressed(data, "bayer_rggb8; png compressed "), "image")[8:16, 8:16].mean(axis=(0, 1)).argmax() == 0


def test_what_decoders_skip_between_the_segments_of_a_jpeg_does_not_hide_its_size():
    jpeg = cv2.imencode(".jpg", RGB)[1].tobytes()
    fake = b"\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"  # a segment that says 16x16
    for between in (b"\xff" * 7, b"\xff\x01", b"\xff\xd3", b"\xff\xfe\x00\x0f" + fake):
        assert rgb_of(compressed(jpeg[:2] + between + jpeg[2:], "jpeg"), "image").shape == RGB.shape
    for between in (b"\xff\xfe\x00\x00", b"\xff\xd9", b"\xff\xd8", b"no marker", b"\xff" * 20_000):
        with pytest.raises(DataError, match="image has a damaged header"):
            rgb_of(compressed(jpeg[:2] + between + jpeg[2:], "jpeg"), "image")


@given(st.binary(max_size=300), st.booleans())
def test_random_compressed_images_are_refused(data, jpeg_head):
    with pytest.raises(DataError, match="image"):
        rgb_of(compressed((b"\xff\xd8" if jpeg_head else b"") + data, "jpeg"), "image")


def test_a_truncated_compressed_image_is_refused_or_decoded_in_part():
    data = cv2.imencode(".jpg", RGB)[1].tobytes()
    for length in range(0, len(data), 37):
        with contextlib.suppress(DataError):
            assert rgb_of(compressed(data[:length], "jpeg"), "image").shape == RGB.shape


def test_a_size_that_an_encoding_cannot_have_is_named():
    with pytest.raises(DataError, match="has a size that yuv422 cannot have"):
        rgb_of(image(np.zeros((4, 5, 2), np.uint8), "yuv422"), "image")


def test_colour_of_sixteen_bits_is_scaled():
    assert np.array_equal(rgb_of(image(RGB.astype(np.uint16) * 257, "rgb16"), "image"), RGB)


@pytest.mark.parametrize(("encoding", "flip"), [("nv12", 1), ("nv21", -1)])
def test_semi_planar_video_becomes_rgb(encoding, flip):
    rows = np.full((36, 32), 90, np.uint8)
    rows[24:] = np.tile([90, 240][::flip], 16)  # little blue, much red
    message = image(rows, encoding)
    message.height = 24
    rgb = rgb_of(message, "image")
    assert rgb.shape == (24, 32, 3) and (rgb[..., 0] > rgb[..., 2] + 100).all()
    message.height = 23
    with pytest.raises(DataError, match="must have even sides"):
        rgb_of(message, "image")
