"""Colour and depth images from files."""

import cv2
import numpy as np
import pytest

from cl_localization.data import images
from cl_localization.errors import DataError
from data.makers import make_depth, make_image, write_image


@pytest.mark.parametrize("suffix", [".png", ".ppm"])
def test_colours_come_as_red_green_blue(tmp_path, suffix):
    write_image(tmp_path / f"image{suffix}", make_image(1))
    assert np.array_equal(images.read_rgb(tmp_path / f"image{suffix}"), make_image(1))


def test_a_jpeg_keeps_its_colours_nearly(tmp_path):
    smooth = np.zeros((40, 50, 3), np.uint8)
    smooth[..., 0], smooth[..., 2] = 200, 30
    write_image(tmp_path / "image.jpg", smooth)
    assert np.abs(images.read_rgb(tmp_path / "image.jpg").astype(int) - smooth).max() < 6


def test_grey_gets_three_channels(tmp_path):
    grey = make_image(2)[..., 0].copy()
    write_image(tmp_path / "grey.png", grey)
    assert np.array_equal(images.read_rgb(tmp_path / "grey.png"), np.dstack([grey] * 3))


def test_sixteen_bits_are_scaled_to_eight(tmp_path):
    write_image(tmp_path / "deep.png", make_image(3)[..., 0].astype(np.uint16) * 257)
    assert np.array_equal(images.read_rgb(tmp_path / "deep.png")[..., 1], make_image(3)[..., 0])


def test_transparency_is_blended_on_white(tmp_path):
    bgra = np.array([[[0, 0, 255, 255], [0, 0, 255, 0], [0, 0, 255, 51]]], np.uint8)
    cv2.imwrite(str(tmp_path / "clear.png"), bgra)
    assert images.read_rgb(tmp_path / "clear.png")[0].tolist() == [[255, 0, 0], [255, 255, 255], [255, 204, 204]]


def test_a_truncated_image_is_named(tmp_path):
    write_image(tmp_path / "image.jpg", make_image(1))
    (tmp_path / "image.jpg").write_bytes((tmp_path / "image.jpg").read_bytes()[:300])
    with pytest.raises(DataError, match=r"image\.jpg (cannot be decoded|has a damaged header)"):
        images.read_rgb(tmp_path / "image.jpg")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xd8\xff", b"P6 x"])
def test_a_header_without_a_size_is_named(data):
    with pytest.raises(DataError, match="thing has a damaged header"):
        images.header_size(data, "thing")


def test_a_truncated_png_is_named(tmp_path):
    data = cv2.imencode(".png", make_image(1))[1].tobytes()
    with pytest.raises(DataError, match="thing cannot be decoded"):
        images.decode_rgb(data[:60], "thing")


def test_text_is_no_image(tmp_path):
    with pytest.raises(DataError, match="must be a PNG, JPEG, PGM, PPM, TIFF or EXR image"):
        images.decode_rgb(b"hello world", "thing")


def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded():
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (1_000_000).to_bytes(4, "big") * 2
    with pytest.raises(DataError, match="must have 1 to 100000000 pixels, found 1000000x1000000"):
        images.decode_rgb(bomb, "thing")


def test_floating_point_pixels_are_refused():
    with pytest.raises(DataError, match="must have 8 or 16 bits"):
        images.to_rgb(np.zeros((4, 4, 3), np.float32), "thing")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".ppm", ".pgm"])
def test_the_size_is_read_from_the_header(tmp_path, suffix):
    write_image(tmp_path / f"a{suffix}", make_image(1) if suffix != ".pgm" else make_image(1)[..., 0].copy())
    assert images.header_size((tmp_path / f"a{suffix}").read_bytes(), "a") == (32, 24)


def test_depth_is_metres_with_zero_for_unknown(tmp_path):
    write_image(tmp_path / "depth.png", np.array([[0, 1500, 65535]], np.uint16))
    assert images.read_depth(tmp_path / "depth.png", 0.001) == pytest.approx(np.array([[0.0, 1.5, 0.0]]))


def test_depth_of_nothing_is_allowed(tmp_path):
    write_image(tmp_path / "depth.png", np.zeros((5, 6), np.uint16))
    assert not images.read_depth(tmp_path / "depth.png", 0.001).any()


def test_a_truncated_depth_image_is_named(tmp_path):
    write_image(tmp_path / "depth.png", (make_depth(0) * 1000).astype(np.uint16))
    (tmp_path / "depth.png").write_bytes((tmp_path / "depth.png").read_bytes()[:80])
    with pytest.raises(DataError, match=r"depth image .*depth\.png cannot be decoded"):
        images.read_depth(tmp_path / "depth.png", 0.001)


def test_a_colour_image_is_no_depth(tmp_path):
    write_image(tmp_path / "depth.png", make_image(1))
    with pytest.raises(DataError, match="must have one channel of 16 bits"):
        images.read_depth(tmp_path / "depth.png", 0.001)


def test_depth_that_makes_no_sense_is_unknown():
    cleaned = images.clean_depth(np.array([[np.nan, np.inf, -np.inf, -1.0, 2.0]]))
    assert cleaned.tolist() == [[0, 0, 0, 0, 2]]
    assert cleaned.dtype == np.float32
