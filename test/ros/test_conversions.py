"""Messages to arrays and back, and messages that make no sense."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

import contextlib

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Transform
from hypothesis import given
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from cl_localization.errors import GeometryError, RosError
from cl_localization.geometry.camera import Camera
from cl_localization.ros import conversions

GRADIENT = np.stack([*np.meshgrid(np.arange(0, 240, 4), np.arange(0, 160, 4)), np.full((40, 60), 90)],
                    axis=2).astype(np.uint8)


def over_the_wire(message):
    """The message as another process gets it."""
    return deserialize_message(serialize_message(message), type(message))


def raw(image: np.ndarray, encoding: str, padding: int = 0, **fields) -> Image:
    """A raw message of an image, with bytes after each row."""
    height, width = image.shape[:2]
    rows = np.pad(image.reshape(height, -1).view(np.uint8), ((0, 0), (0, padding)))
    return Image(**{"height": height, "width": width, "encoding": encoding, "step": rows.shape[1],
                    "data": conversions.bytes_field(rows), **fields})


@given(st.integers(-2**60, 2**60))
def test_stamps_come_back_to_the_nanosecond(nanoseconds: int) -> None:
    assert conversions.stamp_ns(over_the_wire(conversions.time_message(nanoseconds))) == nanoseconds


def test_a_stamp_beyond_32_bit_seconds_is_refused() -> None:
    with pytest.raises(RosError, match="stamp must fit 32-bit seconds"):
        conversions.time_message(2**31 * 10**9)


def test_an_rgb_image_comes_back() -> None:
    np.testing.assert_array_equal(conversions.rgb_image(over_the_wire(conversions.image_message(GRADIENT))), GRADIENT)


@pytest.mark.parametrize("encoding", ["bgr8", "rgba8", "bgra8", "mono8", "8UC1", "8UC3", "8UC4"])
def test_colour_encodings_become_rgb(encoding: str) -> None:
    alpha = np.full((40, 60, 1), 7, np.uint8)
    bgr = np.ascontiguousarray(GRADIENT[..., ::-1])
    images = {"bgr8": bgr, "8UC3": bgr, "rgba8": np.concatenate([GRADIENT, alpha], 2),
              "bgra8": np.concatenate([bgr, alpha], 2),
              "8UC4": np.concatenate([bgr, alpha], 2), "mono8": GRADIENT[..., :1], "8UC1": GRADIENT[..., :1]}
    expected = np.repeat(GRADIENT[..., :1], 3, axis=2) if encoding in ("mono8", "8UC1") else GRADIENT
    np.testing.assert_array_equal(conversions.rgb_image(raw(np.ascontiguousarray(images[encoding]), encoding)),
                                  expected)


def test_rows_may_be_padded_by_whole_pixels() -> None:
    np.testing.assert_array_equal(conversions.rgb_image(raw(GRADIENT, "rgb8", padding=12)), GRADIENT)


def test_a_step_that_is_no_whole_number_of_pixels_is_refused() -> None:
    with pytest.raises(RosError, match="image step must hold a row in whole pixels"):
        conversions.rgb_image(raw(GRADIENT, "rgb8", padding=4))


@pytest.mark.parametrize("fields, match", [
    ({"encoding": "bayer_rggb8"}, "image encoding must be one of"), ({"encoding": ""}, "image encoding must be one of"),
    ({"width": 0}, "must have 1 to"), ({"width": 2**31, "height": 2**31}, "must have 1 to"),
    ({"step": 3 * 10**6}, "step \\* height"), ({"height": 41}, "step \\* height"), ({"step": 1}, "image step")])
def test_images_that_are_not_what_their_header_says_are_refused(fields: dict, match: str) -> None:
    with pytest.raises(RosError, match=match):
        conversions.rgb_image(raw(GRADIENT, "rgb8", **{k: v for k, v in fields.items() if k != "encoding"})
                              if "encoding" not in fields else raw(GRADIENT, fields["encoding"]))


@given(st.sampled_from(["rgb8", "mono8", "bgra8", "16UC1", "nonsense"]), st.integers(0, 2**32 - 1),
       st.integers(0, 2**32 - 1),
       st.integers(0, 2**32 - 1), st.integers(0, 255), st.binary(max_size=200))
def test_random_raw_images_decode_or_are_refused(encoding, height, width, step, big_endian, data) -> None:
    message = Image(encoding=encoding, height=height, width=width, step=step, is_bigendian=big_endian, data=data)
    for decode in (conversions.rgb_image, conversions.depth_image_m):
        with contextlib.suppress(RosError):
            assert decode(message).shape[:2] == (height, width)


def test_a_compressed_image_comes_back_nearly() -> None:
    message = over_the_wire(conversions.compressed_message(GRADIENT))
    assert np.abs(conversions.rgb_image(message).astype(int) - GRADIENT).mean() < 3


def test_a_compressed_png_comes_back_exactly_also_a_grey_one() -> None:
    for image in (GRADIENT, GRADIENT[..., 0]):
        data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)[1].tobytes()
        expected = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        np.testing.assert_array_equal(conversions.rgb_image(CompressedImage(format="png", data=data)), expected)


@given(st.binary(max_size=300), st.booleans())
def test_random_compressed_images_are_refused(data: bytes, jpeg_head: bool) -> None:
    with pytest.raises(RosError, match="compressed image must be"):
        conversions.rgb_image(CompressedImage(format="jpeg", data=(b"\xff\xd8" if jpeg_head else b"") + data))


def test_a_truncated_compressed_image_is_refused_or_decoded_in_part() -> None:
    data = bytes(conversions.compressed_message(GRADIENT).data)
    for length in range(0, len(data), 37):
        try:
            assert conversions.rgb_image(CompressedImage(format="jpeg", data=data[:length])).shape == GRADIENT.shape
        except RosError as error:
            assert "compressed image" in str(error)


def test_a_small_file_that_claims_a_huge_image_is_refused_before_it_is_decoded() -> None:
    png = bytearray(cv2.imencode(".png", GRADIENT)[1].tobytes())
    png[16:24] = (60000).to_bytes(4, "big") * 2
    with pytest.raises(RosError, match="must be JPEG or PNG of 1 to .* found 60000x60000"):
        conversions.rgb_image(CompressedImage(format="png", data=bytes(png)))


def test_what_decoders_skip_between_the_segments_of_a_jpeg_does_not_hide_its_size() -> None:
    jpeg = cv2.imencode(".jpg", GRADIENT)[1].tobytes()
    fake = b"\xff\xc0\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"  # a segment that says 16x16
    for between in (b"\xff" * 7, b"\xff\x01", b"\xff\xd3", b"\xff\xfe\x00\x0f" + fake):
        image = conversions.rgb_image(CompressedImage(format="jpeg", data=jpeg[:2] + between + jpeg[2:]))
        assert image.shape == GRADIENT.shape
    for between in (b"\xff\xfe\x00\x00", b"\xff\xd9", b"\xff\xd8", b"no marker", b"\xff" * 20_000):
        with pytest.raises(RosError, match="compressed image must be JPEG or PNG of 1 to .* found 0x0"):
            conversions.rgb_image(CompressedImage(format="jpeg", data=jpeg[:2] + between + jpeg[2:]))


def test_a_16_bit_compressed_image_is_no_colour_image() -> None:
    data = cv2.imencode(".png", GRADIENT[..., 0].astype(np.uint16))[1].tobytes()
    with pytest.raises(RosError, match="must be a complete 8-bit JPEG or PNG"):
        conversions.rgb_image(CompressedImage(format="png", data=data))


def test_depth_in_millimetres_becomes_metres_and_0_and_65535_are_unknown() -> None:
    depth_mm = np.array([[0, 65535], [1000, 2500]], np.uint16)
    np.testing.assert_allclose(conversions.depth_image_m(raw(depth_mm, "16UC1")), [[0, 0], [1, 2.5]])


def test_depth_in_metres_keeps_only_positive_finite_values() -> None:
    depth_m = np.array([[np.nan, np.inf], [-1, 2.5]], np.float32)
    found = conversions.depth_image_m(over_the_wire(conversions.depth_message(depth_m)))
    np.testing.assert_array_equal(found, np.array([[0, 0], [0, 2.5]], np.float32))
    assert found.dtype == np.float32


@pytest.mark.parametrize("message, match", [
    (raw(GRADIENT, "rgb8"), "depth encoding must be one of"),
    (raw(np.zeros((2, 2), np.uint16), "16UC1", is_bigendian=1), "depth must be little-endian"),
    (raw(np.zeros((2, 2), np.uint16), "16UC1", height=3), "step \\* height")])
def test_depth_that_cannot_be_read_is_refused(message: Image, match: str) -> None:
    with pytest.raises(RosError, match=match):
        conversions.depth_image_m(message)


@pytest.mark.parametrize("camera", [
    Camera(640, 480, 525, 526, 320.5, 240.25), Camera(64, 48, 50, 51, 32, 24, "plumb_bob",
                                                      (0.1, -0.2, 0.001, 0.002, 0.05)),
    Camera(64, 48, 50, 51, 32, 24, "equidistant", (0.1, -0.2, 0.001, 0.002)),
    Camera(64, 48, 50, 51, 32, 24, "rational_polynomial", (0.1, -0.2, 0.001, 0.002, 0.05, 0.1, 0.1, 0.1))])
def test_a_camera_comes_back(camera: Camera) -> None:
    assert conversions.camera(over_the_wire(conversions.camera_info_message(camera))) == camera


def test_pixel_centres_move_by_half_a_pixel() -> None:
    info = CameraInfo(width=640, height=480, k=[525.0, 0.0, 320.0, 0.0, 525.0, 240.0, 0.0, 0.0, 1.0])
    camera = conversions.camera(info)
    assert (camera.cx_px, camera.cy_px, camera.distortion_model) == (320.5, 240.5, "none")


def test_region_and_binning_give_the_camera_of_the_image_as_it_is() -> None:
    info = CameraInfo(width=640, height=480, k=[525.0, 0.0, 319.5, 0.0, 525.0, 239.5, 0.0, 0.0, 1.0], binning_x=2,
                      binning_y=2)
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 50, 400, 300
    assert conversions.camera(info) == Camera(200, 150, 262.5, 262.5, 110, 95)


def test_an_uncalibrated_camera_is_named_with_what_to_do() -> None:
    with pytest.raises(RosError, match="camera_info must hold a calibration, found K of zeros; calibrate"):
        conversions.camera(CameraInfo(width=640, height=480))


@pytest.mark.parametrize("fields, match", [
    ({"k": [math.nan] * 9}, "camera matrix K must be finite"),
    ({"distortion_model": "thin_prism", "d": [0.1] * 12}, "distortion model must be one of"),
    ({"d": [0.1] * 3, "distortion_model": "plumb_bob"}, "must have \\(4, 5\\) coefficients"),
    ({"width": 0}, "must have a positive size")])
def test_calibrations_that_make_no_sense_are_refused(fields: dict, match: str) -> None:
    info = {"width": 640, "height": 480, "k": [525.0, 0.0, 320.0, 0.0, 525.0, 240.0, 0.0, 0.0, 1.0]}
    with pytest.raises(GeometryError, match=match):
        conversions.camera(CameraInfo(**(info | fields)))


@pytest.mark.parametrize("place, value, match", [
    (0, 1e-3, "must have focal lengths from 32 to 64000 px, found fx=0.001"), (4, 1e10, "must have focal lengths"),
    (2, -1.0, "must have its principal point at 0.1 to 0.9 of the image"), (5, 479.0, "must have its principal point")])
def test_numbers_that_no_lens_has_are_refused(place: int, value: float, match: str) -> None:
    info = CameraInfo(width=640, height=480, k=[525.0, 0.0, 320.0, 0.0, 525.0, 240.0, 0.0, 0.0, 1.0])
    info.k[place] = value
    with pytest.raises(RosError, match=f"camera_info K {match}"):
        conversions.camera(info)


def test_a_region_outside_the_image_is_refused() -> None:
    info = CameraInfo(width=640, height=480, k=[525.0, 0.0, 320.0, 0.0, 525.0, 240.0, 0.0, 0.0, 1.0])
    info.roi.x_offset, info.roi.width, info.roi.height = 300, 400, 300
    with pytest.raises(RosError, match="camera_info roi must lie in the image of 640x480, found 400x300 at 300, 0"):
        conversions.camera(info)


@given(st.lists(st.floats(-1000, 1000), min_size=3, max_size=3), st.integers(0, 10**6))
def test_poses_and_transforms_come_back(position_m: list[float], seed: int) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.random(rng=np.random.default_rng(seed)).as_matrix(), position_m
    for message in (conversions.pose_message(matrix), conversions.transform_message(matrix)):
        np.testing.assert_allclose(conversions.matrix_of(over_the_wire(message)), matrix, atol=1e-12)


@pytest.mark.parametrize("kind", [Pose, Transform])
def test_a_pose_of_nan_or_without_rotation_is_refused(kind: type) -> None:
    message = kind()
    quaternion = message.orientation if kind is Pose else message.rotation
    quaternion.w = 0.0
    with pytest.raises(RosError, match="quaternion must have length one"):
        conversions.matrix_of(message)
    quaternion.w = math.nan
    with pytest.raises(RosError, match="pose must be finite"):
        conversions.matrix_of(message)


def test_a_covariance_keeps_its_order() -> None:
    covariance = np.arange(36.0).reshape(6, 6)
    message = over_the_wire(conversions.pose_with_covariance(np.eye(4), covariance))
    np.testing.assert_array_equal(message.covariance, covariance.ravel())
    assert message.pose.orientation.w == 1.0


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_points_come_back_from_a_cloud(count: int) -> None:
    points_m = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    cloud = over_the_wire(conversions.cloud_message(points_m))
    assert isinstance(cloud, PointCloud2) and [field.name for field in cloud.fields] == ["x", "y", "z"]
    np.testing.assert_array_equal(np.frombuffer(cloud.data, np.float32).reshape(-1, 3), points_m)
    assert (cloud.width, cloud.row_step) == (count, 12 * count)


def test_times_are_plain_integers() -> None:
    stamp = conversions.time_message(np.int64(1_500_000_000))
    assert stamp == Time(sec=1, nanosec=500_000_000)
