"""Calibrations of messages as cameras."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cl_localization.data.message_camera import camera_of, is_rectified, rectification_note
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera
from data.bag_makers import STORE, camera_info
from data.makers import CAMERA

REGION = STORE.types["sensor_msgs/msg/RegionOfInterest"]


@pytest.mark.parametrize("camera",
                         [CAMERA, Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "plumb_bob", (0.1, 0.2, 0.0, 0.0, 0.1)),
                                    Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "equidistant", (0.1, 0.2, 0.0, 0.1))])
def test_a_camera_survives_its_message(camera):
    assert camera_of(camera_info(camera), "camera_info") == camera


def test_a_rectified_image_has_the_camera_of_p_without_distortion():
    camera = Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "plumb_bob", (0.1, 0.2, 0.0, 0.0, 0.1))
    assert camera_of(camera_info(camera), "camera_info", rectified=True) == camera.pinhole()


def test_a_rectified_image_of_a_camera_without_p_or_distortion_has_that_of_k():
    assert camera_of(camera_info(p=np.zeros(12)), "camera_info", rectified=True) == CAMERA


@pytest.mark.parametrize(("matrix", "rectified"), [("k", False), ("p", True)])
def test_a_camera_that_was_never_calibrated_is_refused_with_what_to_do(matrix, rectified):
    info = camera_info(**{matrix: np.zeros(9 if matrix == "k" else 12)}, d=np.full(5, 0.1))
    with pytest.raises(DataError, match=f"camera_info must hold a calibration, found {matrix.upper()} of zeros; calib"):
        camera_of(info, "camera_info", rectified)


@pytest.mark.parametrize(("topic", "choice", "rectified"), [
    ("/cam/image_rect", "auto", True), ("/cam/image_rect_color", "auto", True),
    ("/left/color/rect/image", "auto", True),
    ("/cam/image_rectified", "auto", True), ("/cam/image_raw", "auto", False), ("/direct/image", "auto", False),
    ("/cam/image_raw", "always", True), ("/cam/image_rect", "never", False)])
def test_a_topic_says_whether_its_images_are_rectified_unless_the_user_does(topic, choice, rectified):
    assert is_rectified(topic, choice) == rectified


def test_an_unknown_choice_is_named():
    with pytest.raises(DataError, match="option rectified must be one of auto, always, never, found 'yes'"):
        is_rectified("/image", "yes")


def test_two_cameras_in_one_message_are_noted():
    lens = Camera(32, 24, 30.0, 30.0, 15.0, 13.0, "plumb_bob", (0.1, 0.2, 0.0, 0.0, 0.1))
    assert rectification_note(camera_info(CAMERA), "info") == ""
    assert rectification_note(camera_info(lens, p=np.zeros(12)), "info") == ""
    assert "info has a distorted lens (K: fx 30.0 px), which is used, and a rectified" in rectification_note(
        camera_info(lens), "info")


@pytest.mark.parametrize(("changes", "match"), [
    ({"k": np.full(9, math.nan)}, "camera matrix K of info must be finite"),
    ({"distortion_model": "thin_prism", "d": np.full(12, 0.1)}, "distortion model of info must be one of"),
    ({"d": np.full(3, 0.1)}, "must have \\(4, 5\\) coefficients"),
    ({"width": 0}, "must have a positive size"),
    ({"k": np.array([1e-3, 0, 16, 0, 30, 12, 0, 0, 1])}, "must have focal lengths from 1.6 to 3200 px"),
    ({"k": np.array([30, 0, 16, 0, 1e10, 12, 0, 0, 1])}, "must have focal lengths"),
    ({"k": np.array([30, 0, -1.0, 0, 30, 12, 0, 0, 1])}, "must have its principal point at 0.1 to 0.9 of the image"),
    ({"k": np.array([30, 0, 16, 0, 30, 24.0, 0, 0, 1])}, "must have its principal point at 0.1 to 0.9 of the image")])
def test_calibrations_that_make_no_sense_are_refused(changes, match):
    with pytest.raises(GeometryError, match=match):
        camera_of(camera_info(**changes), "info")


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
