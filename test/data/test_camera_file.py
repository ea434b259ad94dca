"""One camera in the calibration files of many tools."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data.camera_file import read_camera_file
from cl_localization.errors import DataError, GeometryError

RADTAN = (-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05)
FISHEYE = (-0.012, 0.004, -0.003, 0.0006)
OPENCV = """%YAML:1.0
---
calibration_time: "Mon"
image_width: 752
image_height: 480
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 458.654, 0., 367.215, 0., 457.296, 248.375, 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ -0.28340811, 0.07395907, 0.00019359, 1.76187114e-05, 0. ]
"""
KALIBR = """cam0:
  camera_model: pinhole
  intrinsics: [458.654, 457.296, 367.215, 248.375]
  distortion_model: radtan
  distortion_coeffs: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
  resolution: [752, 480]
cam1:
  camera_model: pinhole
  intrinsics: [190.9, 190.8, 254.9, 256.8]
  distortion_model: equidistant
  distortion_coeffs: [-0.012, 0.004, -0.003, 0.0006]
  resolution: [512, 512]
"""
EUROC = """sensor_type: camera
comment: VI-Sensor cam0 (MT9M034)
T_BS:
  cols: 4
  rows: 4
  data: [0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
rate_hz: 20
resolution: [752, 480]
camera_model: pinhole
intrinsics: [458.654, 457.296, 367.215, 248.375] #fu, fv, cu, cv
distortion_model: radial-tangential
distortion_coefficients: [-0.28340811, 0.07395907, 0.00019359, 1.76187114e-05]
"""
ORB_SLAM3 = """%YAML:1.0

Camera.type: "PinHole"
Camera1.fx: 458.654
Camera1.fy: 457.296
Camera1.cx: 367.215
Camera1.cy: 248.375
Camera1.k1: -0.28340811
Camera1.k2: 0.07395907
Camera1.p1: 0.00019359
Camera1.p2: 1.76187114e-05
Camera.width: 752
Camera.height: 480
"""
ORB_SLAM2 = "\n".join(line.replace("Camera1.", "Camera.") for line in ORB_SLAM3.splitlines()
                      if "width" not in line and "height" not in line and "type" not in line)


def written(tmp_path, text, name="calibration.yaml"):
    """Write a calibration and return its path."""
    (tmp_path / name).write_text(text)
    return tmp_path / name


@pytest.mark.parametrize("text", [OPENCV, KALIBR, EUROC, ORB_SLAM3, ORB_SLAM2],
                         ids=["opencv", "kalibr", "euroc", "orb-slam3", "orb-slam2"])
def test_one_camera_reads_the_same_from_every_tool(tmp_path, text):
    camera = read_camera_file(written(tmp_path, text), (752, 480))
    assert (camera.width_px, camera.height_px, camera.distortion_model) == (752, 480, "plumb_bob")
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (458.654, 457.296, 367.715, 248.875)
    np.testing.assert_allclose(camera.distortion[:4], RADTAN)


def test_another_camera_of_a_chain_is_named_after_a_hash(tmp_path):
    path = written(tmp_path, KALIBR)
    camera = read_camera_file(path.with_name(path.name + "#cam1"))
    assert (camera.width_px, camera.cx_px, camera.distortion_model, camera.distortion) == (
        512, 255.4, "equidistant", FISHEYE)
    with pytest.raises(DataError, match="camera cam7 of .* is missing; it has cam0, cam1"):
        read_camera_file(path.with_name(path.name + "#cam7"))


def test_an_orb_slam_fisheye_is_equidistant(tmp_path):
    text = ORB_SLAM3.replace("PinHole", "KannalaBrandt8").replace("p1", "k3").replace("p2", "k4")
    camera = read_camera_file(written(tmp_path, text))
    assert camera.distortion_model == "equidistant" and camera.distortion == RADTAN


@pytest.mark.parametrize(("text", "cx_px"), [
    ("525.0 525.0 319.5 239.5", 320), ("525 0 319.5\n0 525 239.5\n0 0 1", 320),
    ("525 0 319.5 0\n0 525 239.5 0\n0 0 1 0\n0 0 0 1", 320)])
def test_bare_numbers_are_a_camera_of_the_images(tmp_path, text, cx_px):
    path = written(tmp_path, text, "calibration.txt")
    camera = read_camera_file(path, (640, 480))
    assert (camera.fx_px, camera.cx_px, camera.cy_px) == (525, cx_px, 240)
    with pytest.raises(DataError, match="must be used with images"):
        read_camera_file(path)


def test_a_calibration_in_another_size_is_scaled_and_one_of_another_ratio_refused(tmp_path):
    path = written(tmp_path, OPENCV)
    assert read_camera_file(path, (376, 240)).fx_px == pytest.approx(458.654 / 2)
    with pytest.raises(GeometryError, match="camera of calibration .*calibration.yaml must be of images of 640x480"):
        read_camera_file(path, (640, 480))


@pytest.mark.parametrize(("change", "message"), [
    (("458.654, 0., 367.215", "458.654, 0., 5000."), "principal point at 0.1 to 0.9 of the image"),
    (("458.654, 0., 367.215", "458.654, 4.26, 367.215"), "must have no skew"),
    (("[ 458.654", "[ 0.82"), "must have focal lengths"),
    (("camera_matrix", "matrix_of_camera"), "must hold a camera_matrix or intrinsics, found .*; known are ROS"),
    (("image_width: 752", "image_width: wide"), "must have a whole number image_width")])
def test_what_is_wrong_is_named_with_its_file(tmp_path, change, message):
    with pytest.raises((DataError, GeometryError), match=f"calibration.yaml.*{message}"):
        read_camera_file(written(tmp_path, OPENCV.replace(*change)))


def test_yaml_that_grows_by_aliases_is_refused_at_once(tmp_path):
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 10)]
    path = written(tmp_path, "\n".join(["a0: &a0 [lol, lol, lol]", *levels]))
    with pytest.raises(DataError, match="must have no aliases and at most 30 levels, found line 2"):
        read_camera_file(path)


def test_yaml_that_nests_without_end_is_refused(tmp_path):
    with pytest.raises(DataError, match="must have no aliases and at most 30 levels"):
        read_camera_file(written(tmp_path, "a: " + "[" * 100_000))
