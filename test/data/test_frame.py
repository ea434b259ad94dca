"""What a frame must be."""

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from data.makers import CAMERA, make_image


@pytest.mark.parametrize("image", [np.zeros((24, 32), np.uint8), np.zeros((24, 32, 4), np.uint8),
                                   np.zeros((24, 32, 3))])
def test_an_image_that_is_not_rgb_of_eight_bits_is_refused(image):
    with pytest.raises(DataError, match=r"image one must be \(H, W, 3\) uint8 RGB"):
        Frame(0, image, CAMERA, name="one")


def test_an_image_of_another_size_than_the_camera_is_refused():
    with pytest.raises(
        DataError, match="image one must have the camera's size 32x24, found 32x23; give the calibration"
    ):
        Frame(0, make_image(0)[1:], CAMERA, name="one")


def test_depth_of_another_size_than_the_image_is_refused():
    with pytest.raises(DataError, match="depth of one must have the image's size 32x24, found 31x24; register depth"):
        Frame(0, make_image(0), CAMERA, np.zeros((24, 31), np.float32), name="one")


def test_a_frame_shows_what_it_is_without_its_pixels():
    frame = Frame(1_500_000_000, make_image(0), CAMERA, name="one")
    assert repr(frame) == "Frame('one', 1.500000000 s, 32x24, no depth, no pose)"
    posed = Frame(0, make_image(0), CAMERA, np.ones((24, 32), np.float32), np.eye(4), name="two")
    assert repr(posed) == "Frame('two', 0.000000000 s, 32x24, depth, at [0.0, 0.0, 0.0])"
