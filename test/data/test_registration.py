"""Depth brought into the camera beside its sensor."""

import numpy as np
import pytest

from cl_localization.data.registration import DepthRegistration
from cl_localization.data.seven_scenes import COLOUR_T_DEPTH, kinect_registration
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

CAMERA = Camera(64, 48, 50.0, 50.0, 32.0, 24.0)


def shifted(x_m: float) -> np.ndarray:
    """Return a transform that moves points along x."""
    matrix = np.eye(4)
    matrix[0, 3] = x_m
    return matrix


def test_the_same_camera_sees_the_same_depth():
    depth_m = np.random.default_rng(0).uniform(1, 3, (48, 64)).astype(np.float32)
    assert np.allclose(DepthRegistration(CAMERA, CAMERA, np.eye(4)).register(depth_m), depth_m)


def test_a_surface_moves_by_focal_length_times_baseline_over_depth():
    depth_m = np.zeros((48, 64), np.float32)
    depth_m[10:20, 10:20] = 2.0
    registered = DepthRegistration(CAMERA, CAMERA, shifted(0.2)).register(depth_m)
    expected = np.zeros_like(depth_m)
    expected[10:20, 15:25] = 2.0
    assert np.array_equal(registered, expected)


def test_the_nearest_surface_wins():
    depth_m = np.full((48, 64), 4.0, np.float32)
    depth_m[:, 20:30] = 1.0
    registered = DepthRegistration(CAMERA, CAMERA, shifted(0.1)).register(depth_m)
    assert (registered[:, 25:35] == 1.0).all()


def test_the_shadow_beside_a_near_object_stays_unknown():
    depth_m = np.full((48, 64), 4.0, np.float32)
    depth_m[:, 20:30] = 1.0
    registered = DepthRegistration(CAMERA, CAMERA, shifted(0.1)).register(depth_m)
    assert (registered[:, 22:25] == 0).all()
    assert set(np.unique(registered)) == {0.0, 1.0, 4.0}


def test_small_holes_in_a_surface_are_closed():
    wide = Camera(64, 48, 60.0, 60.0, 32.0, 24.0)
    tilted = np.linspace(1.0, 2.0, 64, dtype=np.float32)[None].repeat(48, axis=0)
    registered = DepthRegistration(wide, CAMERA, shifted(0.03)).register(tilted)
    inside = registered[8:40, 12:52]
    assert (inside > 0).mean() > 0.995


def test_points_behind_or_beside_the_camera_are_left_out():
    behind = np.eye(4)
    behind[2, 3] = -3.0
    assert not DepthRegistration(CAMERA, CAMERA, behind).register(np.full((48, 64), 2.0, np.float32)).any()
    assert not DepthRegistration(CAMERA, CAMERA, shifted(9.0)).register(np.full((48, 64), 2.0, np.float32)).any()


def test_depth_of_nothing_stays_nothing():
    assert not DepthRegistration(CAMERA, CAMERA, shifted(0.1)).register(np.zeros((48, 64), np.float32)).any()


def test_a_finer_colour_image_is_filled_all_over():
    fine = CAMERA.scaled_to(128, 96)
    registered = DepthRegistration(CAMERA, fine, np.eye(4)).register(np.full((48, 64), 2.0, np.float32))
    assert registered.shape == (96, 128)
    assert (registered == 2.0).all()


def test_the_kinect_calibration_puts_a_wall_where_geometry_says():
    registered = kinect_registration().register(np.full((480, 640), 2.0, np.float32))
    normal = COLOUR_T_DEPTH[:3, :3] @ [0.0, 0.0, 1.0]
    distance_m = normal @ (COLOUR_T_DEPTH[:3, 3] + 2.0 * normal)
    ray = np.array([(330.5 - 320) / 525, (200.5 - 240) / 525, 1.0])
    assert registered[200, 330] == pytest.approx(distance_m / (normal @ ray), abs=1e-3)
    assert (registered[60:420, 60:560] > 0).mean() > 0.99


def test_depth_of_another_size_is_named():
    with pytest.raises(DataError, match="frame 7 must have the depth camera's size 64x48, found 5x4"):
        DepthRegistration(CAMERA, CAMERA, np.eye(4)).register(np.zeros((4, 5), np.float32), "frame 7")


def test_a_distorted_camera_is_refused():
    distorted = Camera(64, 48, 50.0, 50.0, 32.0, 24.0, "plumb_bob", (0.1, 0, 0, 0))
    with pytest.raises(DataError, match="needs cameras without distortion"):
        DepthRegistration(CAMERA, distorted, np.eye(4))
