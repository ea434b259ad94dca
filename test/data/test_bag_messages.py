"""Messages as arrays."""

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.data.bag_messages import camera_of, depth_of, header_stamp_ns, image_of, is_depth
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera
from data.bag_makers import STORE, camera_info, compressed, header, image
from data.makers import CAMERA, make_image

REGION = STORE.types["sensor_msgs/msg/RegionOfInterest"]

RGB = make_image(1)


@pytest.mark.parametrize(("encoding", "pixels"), [
    ("rgb8", RGB), ("bgr8", RGB[..., ::-1]), ("8UC3", RGB[..., ::-1]), ("rgba8", np.dstack([RGB, RGB[..., :1]])),
    ("bgra8", np.dstack([RGB[..., ::-1], RGB[..., :1]]))])
@pytest.mark.parametrize("padding", [0, 7])
def test_colour_encodings_become_rgb(encoding, pixels, padding):
    assert np.array_equal(image_of(image(pixels, encoding, padding=padding), "image"), RGB)


@pytest.mark.parametrize("big", [False, True])
def test_grey_of_sixteen_bits_is_scaled_in_either_byte_order(big):
    grey = RGB[..., 0].astype(np.uint16) * 257
    assert np.array_equal(image_of(image(grey, "mono16", big=big), "image"), np.dstack([RGB[..., 0]] * 3))


@pytest.mark.parametrize(("encoding", "corner"), [("bayer_rggb8", 0), ("bayer_bggr8", 2)])
def test_a_bayer_mosaic_of_one_colour_becomes_that_colour(encoding, corner):
    mosaic = np.zeros((24, 32), np.uint8)
    mosaic[::2, ::2] = 200
    assert image_of(image(mosaic, encoding), "image")[8:16, 8:16].mean(axis=(0, 1)).argmax() == corner


@pytest.mark.parametrize(("encoding", "order"), [("yuv422", [1, 0]), ("yuv422_yuy2", [0, 1])])
def test_grey_yuv_becomes_grey(encoding, order):
    pixels = np.stack([np.full((4, 6), 126, np.uint8), np.full((4, 6), 128, np.uint8)], axis=-1)[..., order]
    assert np.ptp(image_of(image(pixels, encoding), "image")) == 0


@pytest.mark.parametrize(("suffix", "exact"), [(".png", True), (".jpg", False)])
def test_compressed_images_are_decoded(suffix, exact):
    smooth = cv2.GaussianBlur(RGB, (0, 0), 4)
    data = cv2.imencode(suffix, smooth[..., ::-1])[1].tobytes()
    difference = np.abs(image_of(compressed(data, f"rgb8; {suffix[1:]} compressed bgr8"), "image").astype(int) - smooth)
    assert difference.max() <= (0 if exact else 12)


def test_an_unknown_encoding_is_named():
    with pytest.raises(DataError, match="encoding of image 7 must be one of rgb8, .* found 'nv24'"):
        image_of(image(RGB, "nv24"), "image 7")


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 300))
def test_sizes_that_do_not_fit_the_data_are_refused(height, width, step, length):
    message = image(RGB, "rgb8")
    message.height, message.width, message.step, message.data = height, width, step, np.zeros(length, np.uint8)
    if not (step >= 3 * width and step * height == length and min(width, height) > 0):
        with pytest.raises(DataError, match="must have"):
            image_of(message, "image")


def test_a_size_that_an_encoding_cannot_have_is_named():
    with pytest.raises(DataError, match="has a size that yuv422 cannot have"):
        image_of(image(np.zeros((4, 5, 2), np.uint8), "yuv422"), "image")


def test_depth_of_sixteen_bits_is_millimetres():
    assert depth_of(image(np.array([[0, 1500, 65535]], np.uint16), "16UC1"),
                    "depth") == pytest.approx(np.array([[0, 1.5, 0]]))


def test_depth_of_floats_is_metres_and_nonsense_unknown():
    message = image(np.array([[np.nan, np.inf, -1, 2.5]], np.float32), "32FC1", padding=4)
    assert depth_of(message, "depth").tolist() == [[0, 0, 0, 2.5]]


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


@pytest.mark.parametrize("format", ["16UC1; compressedDepth rvl", "32FC1; png compressed", "jpeg"])
def test_depth_of_other_codecs_is_refused(format):
    with pytest.raises(DataError, match="format of depth must be 16UC1 or 32FC1, compressedDepth as PNG"):
        depth_of(compressed(b"x" * 20, format), "depth")


def test_colour_of_sixteen_bits_is_scaled():
    assert np.array_equal(image_of(image(RGB.astype(np.uint16) * 257, "rgb16"), "image"), RGB)


@pytest.mark.parametrize(("encoding", "flip"), [("nv12", 1), ("nv21", -1)])
def test_semi_planar_video_becomes_rgb(encoding, flip):
    rows = np.full((36, 32), 90, np.uint8)
    rows[24:] = np.tile([90, 240][::flip], 16)  # little blue, much red
    message = image(rows, encoding)
    message.height = 24
    rgb = image_of(message, "image")
    assert rgb.shape == (24, 32, 3) and (rgb[..., 0] > rgb[..., 2] + 100).all()
    message.height = 23
    with pytest.raises(DataError, match="must have even sides"):
        image_of(message, "image")


def test_colour_is_no_depth():
    with pytest.raises(DataError, match="encoding of depth must be one of 16UC1, mono16, 32FC1, found 'rgb8'"):
        depth_of(image(RGB, "rgb8"), "depth")
    assert [is_depth(message) for message in (image(RGB, "rgb8"), compressed(b"x", "jpeg"),
                                              compressed(b"x", "16UC1; png"))] == [False, False, True]


@pytest.mark.parametrize("camera",
                         [CAMERA, Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "plumb_bob", (0.1, 0.2, 0.0, 0.0, 0.1)),
                                    Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "equidistant", (0.1, 0.2, 0.0, 0.1))])
def test_a_camera_survives_its_message(camera):
    assert camera_of(camera_info(camera), "camera_info") == camera


def test_a_rectified_image_has_the_camera_of_p_without_distortion():
    camera = Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "plumb_bob", (0.1, 0.2, 0.0, 0.0, 0.1))
    assert camera_of(camera_info(camera), "camera_info", rectified=True) == camera.pinhole()


def test_a_camera_that_was_never_calibrated_is_refused():
    with pytest.raises(GeometryError, match="camera matrix K of camera_info must be finite with positive focal"):
        camera_of(camera_info(k=np.zeros(9)), "camera_info")


@pytest.mark.parametrize(("changes", "camera"), [
    ({"binning_x": 2, "binning_y": 2}, Camera(16, 12, 15, 15.5, 8, 6)),
    ({"roi": REGION(2, 4, 8, 10, False)}, Camera(10, 8, 30, 31, 14, 8)),
    ({"roi": REGION(2, 4, 8, 10, False), "binning_x": 2, "binning_y": 2}, Camera(5, 4, 15, 15.5, 7, 4)),
    ({"roi": REGION(0, 0, 24, 32, False)}, Camera(32, 24, 30, 31, 16, 12))])
def test_a_region_and_binning_make_the_camera_of_the_images_that_come(changes, camera):
    assert camera_of(camera_info(**changes), "camera_info") == camera


def test_a_region_outside_the_image_is_refused():
    with pytest.raises(DataError, match="region of camera_info must lie in the image of 32x24, found 10x8 at 30, 4"):
        camera_of(camera_info(roi=REGION(30, 4, 8, 10, False)), "camera_info")


def test_the_stamp_is_read_without_decoding_the_rest():
    kind = "std_msgs/msg/Header"
    assert header_stamp_ns(bytes(STORE.serialize_cdr(header(5_000_000_007), kind))) == 5_000_000_007
    assert header_stamp_ns(bytes(STORE.serialize_cdr(header(5_000_000_007), kind,
                                                     little_endian=False))) == 5_000_000_007
    with pytest.raises(DataError, match="must begin with a header, found 3 bytes"):
        header_stamp_ns(b"abc")
