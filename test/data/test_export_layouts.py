"""What is written for other tools is read back the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.export_layouts import WRITERS, write_colmap_model
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import rendered_frames

DISTORTIONS = {"none": ("none", ()), "four": ("plumb_bob", (-0.2, 0.1, 0.001, 0.002)),
               "five": ("plumb_bob", (-0.2, 0.1, 0.001, 0.002, 0.03)), "fisheye": ("equidistant", (0.1, 0.2, 0.3, 0.4)),
               "rational": ("rational_polynomial", (.1, .2, .3, .4, .5, .6, .7, .8))}


@pytest.fixture(scope="module")
def frames():
    """Three frames of a camera without symmetry; the second one has no pose and no depth."""
    first, second, third = rendered_frames(3)
    return [first, replace(second, world_T_cam=None, depth_m=None), third]


def distorted(frames, name):
    """Return the frames with another camera."""
    model, coefficients = DISTORTIONS[name]
    return [replace(frame, camera=replace(frame.camera, distortion_model=model, distortion=coefficients))
            for frame in frames]


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("layout", WRITERS)
def test_a_sequence_comes_back_from_every_layout(frames, layout, distortion, tmp_path):
    frames = distorted(frames, distortion)
    if (layout, distortion) == ("transforms", "rational"):
        with pytest.raises(DataError, match="distortion of the camera must be plumb_bob or equidistant"):
            WRITERS[layout](frames, tmp_path)
        return
    count = WRITERS[layout](frames, tmp_path)
    written = frames if layout == "tum" else [frame for frame in frames if frame.world_T_cam is not None]
    sequence = open_sequence(tmp_path)
    assert count == len(written) == len(sequence)
    for read, frame in zip(sequence, written):
        np.testing.assert_array_equal(read.image, frame.image)
        points_cam = np.random.default_rng(0).uniform([-0.3, -0.3, 1], [0.3, 0.3, 2], (20, 3))
        np.testing.assert_allclose(read.camera.project(points_cam), frame.camera.project(points_cam), atol=1e-6)
        if frame.world_T_cam is not None:
            assert pose_error(read.world_T_cam, frame.world_T_cam) == pytest.approx((0, 0), abs=2e-6)
        if layout != "colmap" and frame.depth_m is not None:
            np.testing.assert_allclose(read.depth_m, frame.depth_m, atol=2e-4)
        assert layout == "colmap" or read.stamp_ns == frame.stamp_ns


def test_tum_needs_one_camera(frames, tmp_path):
    with pytest.raises(DataError, match="frame 000002 must have the camera of the frames before"):
        WRITERS["tum"]([frames[0], distorted(frames, "four")[2]], tmp_path)


def test_points_of_a_map_stand_in_the_model(frames, tmp_path):
    posed = [("a.png", frames[0].camera, frames[0].world_T_cam)]
    write_colmap_model(tmp_path / "model", posed, np.array([[1, 2, 3.5]]))
    assert (tmp_path / "model" / "points3D.txt").read_text() == "1 1.0 2.0 3.5 128 128 128 0\n"


def test_more_coefficients_than_colmap_has_are_refused(tmp_path):
    camera = Camera(64, 48, 60, 60, 32, 24, "rational_polynomial", (0.1,) * 12)
    with pytest.raises(DataError, match="must have at most 8 coefficients for COLMAP, found 12"):
        write_colmap_model(tmp_path / "model", [("a.png", camera, np.eye(4))], np.zeros((0, 3)))
