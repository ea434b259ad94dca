"""How images are converted; runs against the underlay or the real cv_bridge, whichever is installed."""

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS: run scripts/test")
cv_bridge = pytest.importorskip("cv_bridge", reason="needs cv_bridge: run scripts/test")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

BRIDGE = cv_bridge.CvBridge()
ENCODINGS = {"mono8": (np.uint8, 1), "8UC1": (np.uint8, 1), "rgb8": (np.uint8, 3), "bgr8": (np.uint8, 3),
             "8UC3": (np.uint8, 3),
             "rgba8": (np.uint8, 4), "bgra8": (np.uint8, 4), "mono16": (np.uint16, 1), "16UC1": (np.uint16, 1),
             "32FC1": (np.float32, 1), "64FC2": (np.float64, 2)}


def random_image(encoding, height=5, width=7, seed=0):
    dtype, channels = ENCODINGS[encoding]
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


@given(st.sampled_from(sorted(ENCODINGS)), st.integers(1, 20), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_every_encoding_survives_the_way_to_a_message_and_back(encoding, height, width):
    image = random_image(encoding, height, width)
    message = BRIDGE.cv2_to_imgmsg(image, encoding)
    assert (message.height, message.width, message.encoding) == (height, width, encoding)
    assert message.step * height == len(message.data)
    back = BRIDGE.imgmsg_to_cv2(message)
    assert back.dtype == image.dtype and np.array_equal(back, image)


def test_without_an_encoding_a_message_says_the_type_of_the_array_and_keeps_the_header():
    message = BRIDGE.cv2_to_imgmsg(random_image("16UC1"), header=Header(frame_id="camera"))
    assert (message.encoding, message.header.frame_id) == ("16UC1", "camera")


@pytest.mark.parametrize("source, target, code", [
    ("bgr8", "rgb8", cv2.COLOR_BGR2RGB), ("rgba8", "rgb8", cv2.COLOR_RGBA2RGB), ("bgra8", "rgb8", cv2.COLOR_BGRA2RGB),
    ("mono8", "rgb8", cv2.COLOR_GRAY2RGB), ("rgb8", "mono8", cv2.COLOR_RGB2GRAY),
    ("rgb8", "bgra8", cv2.COLOR_RGB2BGRA)])
def test_colours_are_converted_on_wish(source, target, code):
    image = random_image(source)
    message = BRIDGE.cv2_to_imgmsg(image, source)
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message, target), cv2.cvtColor(image, code))


def test_a_bayer_pattern_becomes_colour():
    message = Image(height=4, width=4, encoding="bayer_rggb8", step=4)
    message.data.frombytes(np.tile(np.array([[200, 0], [0, 0]], np.uint8), (2, 2)).tobytes())
    assert BRIDGE.imgmsg_to_cv2(message, "rgb8")[1:3, 1:3].max(axis=(0, 1)).argmax() == 0


def test_yuv_becomes_colour():
    message = Image(height=2, width=4, encoding="yuv422_yuy2", step=8)
    message.data.frombytes(np.tile(np.array([235, 128], np.uint8), 8).tobytes())
    assert BRIDGE.imgmsg_to_cv2(message, "rgb8").shape == (2, 4, 3)
    assert BRIDGE.imgmsg_to_cv2(message, "rgb8").min() > 250


def test_white_stays_white_between_8_and_16_bit():
    wide = BRIDGE.cv2_to_imgmsg(np.array([[0, 65535]], np.uint16), "mono16")
    assert BRIDGE.imgmsg_to_cv2(wide, "mono8").tolist() == [[0, 255]]
    narrow = BRIDGE.cv2_to_imgmsg(np.array([[0, 255]], np.uint8), "mono8")
    assert BRIDGE.imgmsg_to_cv2(narrow, "mono16").tolist() == [[0, 65535]]


def test_depth_in_millimetres_becomes_float_without_scaling():
    message = BRIDGE.cv2_to_imgmsg(np.array([[0, 1500]], np.uint16), "16UC1")
    metres = BRIDGE.imgmsg_to_cv2(message, "32FC1")
    assert metres.dtype == np.float32 and metres.tolist() == [[0.0, 1500.0]]


@pytest.mark.parametrize("source, target", [("16UC1", "mono8"), ("8UC3", "rgb8"), ("rgb8", "8UC1"),
                                            ("rgb8", "bayer_rggb8")])
def test_a_conversion_that_makes_no_sense_is_refused(source, target):
    message = BRIDGE.cv2_to_imgmsg(random_image(source), source)
    with pytest.raises(cv_bridge.CvBridgeError, match=source):
        BRIDGE.imgmsg_to_cv2(message, target)


def test_an_unknown_encoding_is_named():
    with pytest.raises(cv_bridge.CvBridgeError, match="Unrecognized image encoding .*xyz"):
        BRIDGE.imgmsg_to_cv2(Image(height=1, width=1, step=1, encoding="xyz", data=[0]))


def test_an_encoding_that_does_not_fit_the_array_is_refused():
    with pytest.raises(cv_bridge.CvBridgeError,
                       match="encoding specified as mono8, but image has incompatible type 8UC3"):
        BRIDGE.cv2_to_imgmsg(random_image("rgb8"), "mono8")


@pytest.mark.parametrize("convert", [BRIDGE.cv2_to_imgmsg, BRIDGE.cv2_to_compressed_imgmsg])
def test_what_is_no_array_is_refused(convert):
    with pytest.raises(TypeError, match="not a numpy array"):
        convert([[1, 2], [3, 4]])


@pytest.mark.parametrize("encoding", ["mono8", "rgb8", "16UC1", "32FC1"])
def test_rows_padded_by_whole_pixels_are_read_right(encoding):
    padded = random_image(encoding, width=10)
    message = BRIDGE.cv2_to_imgmsg(padded, encoding)
    message.width = 7
    assert np.array_equal(BRIDGE.imgmsg_to_cv2(message), padded[:, :7])


def test_rows_padded_by_part_of_a_pixel_shear_the_image_so_check_the_step_first():
    message = Image(height=2, width=2, encoding="rgb8", step=7)
    message.data.frombytes(bytes([1, 1, 1, 2, 2, 2, 0, 3, 3, 3, 4, 4, 4, 0]))
    assert BRIDGE.imgmsg_to_cv2(message)[1].tolist() != [[3, 3, 3], [4, 4, 4]]


def test_too_few_data_are_an_error():
    with pytest.raises(TypeError, match="buffer is too small"):
        BRIDGE.imgmsg_to_cv2(Image(height=4, width=4, encoding="mono8", step=4, data=[0] * 15))


@pytest.mark.parametrize("form, tolerance", [("png", 0), ("jpg", 12)])
def test_compressed_images_come_back_as_bgr_or_as_wished(form, tolerance):
    image = np.full((16, 16, 3), (10, 100, 200), np.uint8)
    message = BRIDGE.cv2_to_compressed_imgmsg(image, form)
    assert message.format == form
    assert np.abs(BRIDGE.compressed_imgmsg_to_cv2(message).astype(int) - image).max() <= tolerance
    assert np.abs(BRIDGE.compressed_imgmsg_to_cv2(message, "rgb8").astype(int) - image[..., ::-1]).max() <= tolerance


def test_a_compressed_depth_image_keeps_its_16_bit():
    image = random_image("16UC1") * 300
    assert np.array_equal(BRIDGE.compressed_imgmsg_to_cv2(BRIDGE.cv2_to_compressed_imgmsg(image, "png")), image)


def test_data_that_are_no_image_give_none():
    assert BRIDGE.compressed_imgmsg_to_cv2(CompressedImage(format="jpeg", data=list(b"no image"))) is None
