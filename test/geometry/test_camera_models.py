"""Calibrations under the names and lengths of other tools, and matrices that are none."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import GeometryError
from cl_localization.geometry.camera import Camera

K = np.array([[530.0, 0, 320.5], [0, 528.0, 242.5], [0, 0, 1]])
D5 = (-0.28, 0.09, 0.0005, -0.0008, 0.01)
D8 = (0.4, -0.1, 0.0003, -0.0002, 0.01, 0.75, -0.05, 0.005)
D12 = (*D8, 0.001, 0.002, -0.001, 0.0005)
D14 = (*D12, 0.01, -0.02)
FISHEYE = (-0.012, 0.004, -0.003, 0.0006)


@pytest.mark.parametrize(("name", "given", "model", "taken"), [
    ("plumb_bob", (*D5, 0, 0, 0), "plumb_bob", D5),
    ("plumb_bob", D8, "rational_polynomial", D8),
    ("radtan", D5[:4], "plumb_bob", D5[:4]),
    ("radial-tangential", D5[:4], "plumb_bob", D5[:4]),
    ("opencv", D5, "plumb_bob", D5),
    ("rational_polynomial", D12, "rational_polynomial", D12),
    ("rational_polynomial", D14, "rational_polynomial", D14),
    ("rational_polynomial", (*D8, 0, 0), "rational_polynomial", D8),
    ("rational_polynomial", D5, "plumb_bob", D5),
    ("", D14, "rational_polynomial", D14),
    ("equidistant", (*FISHEYE, 0), "equidistant", FISHEYE),
    ("fisheye", FISHEYE, "equidistant", FISHEYE),
    ("Kannala-Brandt", FISHEYE, "equidistant", FISHEYE),
    ("KannalaBrandt8", FISHEYE, "equidistant", FISHEYE),
    ("equidistant", (0, 0, 0, 0), "equidistant", (0, 0, 0, 0)),
    ("fisheye", (), "equidistant", (0, 0, 0, 0)),
    ("pinhole", (), "none", ()),
    ("none", (0, 0, 0, 0, 0), "none", ())])
def test_names_and_lengths_of_other_tools_are_understood(name, given, model, taken):
    camera = Camera.from_opencv(640, 480, K, name, given)
    assert (camera.distortion_model, camera.distortion) == (model, taken)


@pytest.mark.parametrize("distortion", [D12, D14])
def test_twelve_and_fourteen_coefficients_lead_to_rays_and_back(distortion):
    camera = Camera.from_opencv(640, 480, K, "rational_polynomial", distortion)
    keypoints_px = np.random.default_rng(0).uniform([20, 20], [620, 460], (50, 2))
    rays = camera.normalize(keypoints_px)
    np.testing.assert_allclose(camera.project(np.column_stack([rays, np.ones(50)])), keypoints_px, atol=1e-3)


def test_an_equidistant_lens_without_coefficients_is_no_pinhole():
    camera = Camera.from_opencv(640, 480, K, "equidistant", (0, 0, 0, 0))
    radius_px = camera.project([[1.0, 0, 1.0]])[0, 0] - camera.cx_px
    assert radius_px == pytest.approx(530 * np.pi / 4)


@pytest.mark.parametrize(("name", "given"), [("ds", (0, 0)), ("fov", (0.9,)), ("none", D5), ("thin_prism", D5),
                                             ("equidistant", D5), ("plumb_bob", D5[:3])])
def test_other_models_and_lengths_are_refused(name, given):
    with pytest.raises(GeometryError, match="distortion"):
        Camera.from_opencv(640, 480, K, name, given)


@pytest.mark.parametrize(("matrix", "message"), [
    (K.T, "must be written row by row, found last row .*transpose it"),
    (K + np.diag([0, 0, 1.0]), "must be fx s cx, 0 fy cy, 0 0 1"),
    (K + [[0, 4.26, 0], [0, 0, 0], [0, 0, 0]], "must have no skew, found skew 4.26 px")])
def test_matrices_that_are_no_pinhole_camera_are_refused(matrix, message):
    with pytest.raises(GeometryError, match=message):
        Camera.from_opencv(640, 480, matrix)


def test_a_skew_that_moves_no_pixel_is_taken():
    assert Camera.from_opencv(640, 480, K + [[0, 1e-3, 0], [0, 0, 0], [0, 0, 0]]).fx_px == 530


@pytest.mark.parametrize(("intrinsics", "message"), [
    ((0.82, 0.82, 320, 240), "must have focal lengths from 32 to 64000 px, found fx=0.82"),
    ((530, 530, 5000, 240), "must have its principal point at 0.1 to 0.9 of the image, found cx=5000"),
    ((530, 530, 320, -3), "must have its principal point at 0.1 to 0.9 of the image")])
def test_implausible_intrinsics_are_refused(intrinsics, message):
    with pytest.raises(GeometryError, match=message):
        Camera(640, 480, *intrinsics).checked()


def test_a_calibration_fits_images_of_its_ratio_and_sides_off_by_a_pixel():
    camera = Camera(640, 480, 500, 500, 320, 240)
    assert camera.fitted(320, 240).fx_px == 250
    assert camera.fitted(641, 480).width_px == 641
    with pytest.raises(GeometryError, match="must be of images of 640x400, or their ratio, found 640x480"):
        camera.fitted(640, 400)
