"""Cameras: the way from pixels to rays and back, conventions, and calibrations that are refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import GeometryError
from cl_localization.geometry.camera import DISTORTION_COEFFICIENTS, Camera

K = np.array([[530.0, 0, 320.5], [0, 528.0, 242.5], [0, 0, 1]])
D5 = (-0.28, 0.09, 0.0005, -0.0008, 0.01)
D8 = (0.4, -0.1, 0.0003, -0.0002, 0.01, 0.75, -0.05, 0.005)
D12 = (*D8, 0.001, 0.002, -0.001, 0.0005)
D14 = (*D12, 0.01, -0.02)
FISHEYE = (-0.012, 0.004, -0.003, 0.0006)
BARREL = Camera(640, 480, 530.0, 528.0, 321.0, 243.0, "plumb_bob", (-0.28, 0.09, 0.0005, -0.0008))
MODELS = {
    "none": Camera(640, 480, 530.0, 528.0, 321.0, 243.0),
    "plumb_bob 4": BARREL,
    "plumb_bob 5": Camera(640, 480, 530.0, 528.0, 321.0, 243.0, "plumb_bob", (0.26, -0.95, -0.005, 0.0026, 1.16)),
    "rational_polynomial": Camera(640, 480, 530.0, 528.0, 321.0, 243.0, "rational_polynomial",
                                  (0.4, -0.1, 0.0003, -0.0002, 0.01, 0.75, -0.05, 0.005)),
    "equidistant": Camera(640, 480, 290.0, 291.0, 321.0, 243.0, "equidistant", (-0.012, 0.004, -0.003, 0.0006)),
}
pixels_640 = st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480)), min_size=1, max_size=10).map(np.array)
every_model = pytest.mark.parametrize("camera", MODELS.values(), ids=MODELS)


@every_model
@given(keypoints_px=pixels_640)
def test_a_pixel_survives_the_way_to_its_ray_and_back(camera, keypoints_px):
    rays = camera.normalize(keypoints_px)
    back_px = camera.project(np.column_stack([rays, np.ones(len(rays))]))
    np.testing.assert_allclose(back_px, keypoints_px, atol=1e-3)


@every_model
@given(keypoints_px=pixels_640, depth_m=st.floats(0.1, 50))
def test_all_points_of_a_ray_appear_in_one_pixel(camera, keypoints_px, depth_m):
    rays = np.column_stack([camera.normalize(keypoints_px), np.ones(len(keypoints_px))])
    np.testing.assert_allclose(camera.project(depth_m * rays), camera.project(rays), atol=1e-6)


@every_model
@given(keypoints_px=pixels_640)
def test_undistorted_keypoints_have_the_same_rays_in_the_pinhole_camera(camera, keypoints_px):
    pinhole = camera.pinhole()
    np.testing.assert_allclose(pinhole.normalize(camera.undistort(keypoints_px)), camera.normalize(keypoints_px),
                               atol=1e-12)
    assert (pinhole.distortion_model, pinhole.distortion) == ("none", ())
    np.testing.assert_array_equal(pinhole.matrix, camera.matrix)


@every_model
def test_no_pixels_give_no_rays(camera):
    assert camera.normalize(np.zeros((0, 2))).shape == (0, 2)
    assert camera.undistort(np.zeros((0, 2))).shape == (0, 2)
    assert camera.project(np.zeros((0, 3))).shape == (0, 2)


def test_the_principal_point_looks_straight_ahead():
    for camera in MODELS.values():
        np.testing.assert_allclose(camera.normalize([[camera.cx_px, camera.cy_px]]), [[0, 0]], atol=1e-9)
        np.testing.assert_allclose(camera.project([[0, 0, 2.0]]), [[camera.cx_px, camera.cy_px]], atol=1e-9)


def test_x_points_right_and_y_down():
    offset_px = MODELS["none"].project([[0.1, 0.2, 1.0]])[0] - [321.0, 243.0]
    np.testing.assert_allclose(offset_px, [53.0, 105.6])


def test_opencv_puts_the_first_pixel_centre_half_a_pixel_lower():
    matrix = np.array([[500.0, 0, 319.5], [0, 510.0, 239.5], [0, 0, 1]])
    camera = Camera.from_opencv(640, 480, matrix)
    assert (camera.cx_px, camera.cy_px) == (320.0, 240.0)
    np.testing.assert_array_equal(camera.opencv_matrix, matrix)


def test_pixels_agree_with_opencv_but_for_the_half():
    camera = BARREL
    points_cam = np.random.default_rng(0).uniform([-1, -1, 2], [1, 1, 5], (50, 3))
    opencv_px = cv2.projectPoints(points_cam, np.zeros(3), np.zeros(3), camera.opencv_matrix,
                                  np.array(camera.distortion))[0][:, 0]
    np.testing.assert_allclose(camera.project(points_cam), opencv_px + 0.5, atol=1e-9)


@pytest.mark.parametrize("model", ["", "plumb_bob", "rational_polynomial", "some_model_of_a_driver"])
def test_zero_distortion_of_a_perspective_camera_is_none_whatever_its_name(model):
    camera = Camera.from_opencv(640, 480, MODELS["none"].opencv_matrix, model, (0.0,) * 5)
    assert camera == MODELS["none"]


def test_coefficients_without_a_model_are_plumb_bob():
    assert Camera.from_opencv(640, 480, BARREL.opencv_matrix, "", BARREL.distortion) == BARREL


@given(st.integers(32, 2000), st.integers(32, 2000))
def test_a_resized_image_keeps_its_rays(width_px, height_px):
    scaled = BARREL.scaled_to(width_px, height_px)
    keypoints_px = np.array([[0.0, 0.0], [640.0, 480.0], [100.0, 50.0]])
    scaled_px = keypoints_px * [width_px / 640, height_px / 480]
    np.testing.assert_allclose(scaled.normalize(scaled_px), BARREL.normalize(keypoints_px), atol=1e-6)


def test_the_border_belongs_to_the_image_at_its_start_only():
    inside = BARREL.contains(np.array([[0, 0], [639.9, 479.9], [640, 10], [10, 480], [-0.1, 10], [10, -0.1]]))
    assert inside.tolist() == [True, True, False, False, False, False]


@pytest.mark.parametrize(("width_px", "height_px"), [(0, 480), (640, 0), (-1, 480)])
def test_a_camera_without_a_size_is_refused(width_px, height_px):
    with pytest.raises(GeometryError, match="camera must have a positive size"):
        Camera(width_px, height_px, 500, 500, 320, 240)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.diag([500.0, -500.0, 1.0]), np.diag([np.nan, 500.0, 1.0]),
                                    np.array([[500, 0, np.inf], [0, 500, 240], [0, 0, 1]])])
def test_an_uncalibrated_camera_is_refused(matrix):
    with pytest.raises(GeometryError, match="camera matrix K must be finite with positive focal lengths.*calibrate"):
        Camera.from_opencv(640, 480, matrix)


def test_a_camera_matrix_of_another_shape_is_refused():
    with pytest.raises(GeometryError, match=r"camera matrix K must be 3x3, found shape \(9,\)"):
        Camera.from_opencv(640, 480, np.zeros(9))


def test_an_unknown_distortion_model_is_refused_with_those_that_are_known():
    with pytest.raises(GeometryError, match="distortion model must be one of none, plumb_bob.*found 'thin_prism'"):
        Camera(640, 480, 500, 500, 320, 240, "thin_prism", (0.1,))


@pytest.mark.parametrize("model", DISTORTION_COEFFICIENTS)
def test_a_wrong_number_of_coefficients_is_refused(model):
    with pytest.raises(GeometryError, match=f"distortion of {model} must have .* coefficients, found 3"):
        Camera(640, 480, 500, 500, 320, 240, model, (0.1, 0.1, 0.1))


def test_distortion_that_is_not_finite_is_refused():
    with pytest.raises(GeometryError, match="must be finite"):
        Camera(640, 480, 500, 500, 320, 240, "plumb_bob", (np.nan, 0, 0, 0))


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
