"""COLMAP models: cameras of every kind, where models and images lie, and models that are damaged."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError, GeometryError
from data.layout_makers import colmap_binary, colmap_text, rendered_frames


@pytest.fixture(scope="module")
def frames():
    """Two frames."""
    return rendered_frames(2)


def with_camera(place, frames, line):
    """Write a text model with another line of cameras.txt."""
    colmap_text(place, frames)
    (place / "sparse" / "0" / "cameras.txt").write_text(line + "\n")
    return place


@pytest.mark.parametrize(("line", "focal_px", "model", "distortion"), [
    ("1 SIMPLE_PINHOLE 144 100 90 72 50", (90, 90), "none", ()),
    ("1 SIMPLE_RADIAL 144 100 90 72 50 0.1", (90, 90), "plumb_bob", (0.1, 0, 0, 0)),
    ("1 RADIAL 144 100 90 72 50 0.1 -0.02", (90, 90), "plumb_bob", (0.1, -0.02, 0, 0)),
    ("1 OPENCV 144 100 90 91 72 50 0.1 -0.02 0.001 0.002", (90, 91), "plumb_bob", (0.1, -0.02, 0.001, 0.002)),
    ("1 OPENCV_FISHEYE 144 100 90 91 72 50 0.1 -0.02 0.01 0.002", (90, 91), "equidistant", (0.1, -0.02, 0.01, 0.002)),
    ("1 RADIAL_FISHEYE 144 100 90 72 50 0.1 0.2", (90, 90), "equidistant", (0.1, 0.2, 0, 0)),
    ("1 FULL_OPENCV 144 100 90 91 72 50 .1 .2 .3 .4 .5 .6 .7 .8", (90, 91), "rational_polynomial",
     (.1, .2, .3, .4, .5, .6, .7, .8))])
def test_camera_models_of_colmap_are_understood(tmp_path, frames, line, focal_px, model, distortion):
    camera = open_sequence(with_camera(tmp_path, frames, line)).camera_at(0)
    assert (camera.fx_px, camera.fy_px) == focal_px and (camera.cx_px, camera.cy_px) == (72, 50)
    assert (camera.distortion_model, camera.distortion) == (model, distortion)


@pytest.mark.parametrize(("line", "message"), [
    ("1 FOV 144 100 90 91 72 50 0.9", "camera model of .*cameras.txt must be .* found FOV; undistort the images"),
    ("1 PINHOLE 144 100 90 91 72", "must have 4 parameters for PINHOLE, found 3"),
    ("1 PINHOLE 144 100 90 91 720 50", "camera matrix K of .*cameras.txt must have its principal point"),
    ("2 PINHOLE 144 100 90 91 72 50", "camera 1 of 000000.png must be in the model"),
    ("1 PINHOLE 144 200 90 91 72 50", "must be of images of 144x100, or their ratio"),
    ("1 PINHOLE wide 100 90 91 72 50", "must be a file of a COLMAP model")])
def test_cameras_that_cannot_be_used_are_named(tmp_path, frames, line, message):
    with pytest.raises((DataError, GeometryError), match=message):
        open_sequence(with_camera(tmp_path, frames, line))


def test_smaller_images_scale_the_model(tmp_path, frames):
    camera = frames[0].camera
    line = f"1 PINHOLE {2 * camera.width_px} {2 * camera.height_px} 200 201 144 100"
    read = open_sequence(with_camera(tmp_path, frames, line)).camera_at(0)
    assert (read.fx_px, read.fy_px, read.cx_px) == (100, 100.5, 72)


def test_images_elsewhere_are_named_by_an_option_and_missing_ones_counted(tmp_path, frames):
    model = colmap_binary(tmp_path, frames)
    (tmp_path / "images").rename(tmp_path / "photos")
    with pytest.raises(DataError, match="images of model .* are missing, found no 000000.png .*give their folder with"):
        open_sequence(model)
    (tmp_path / "photos" / "000001.png").unlink()
    sequence = open_sequence(f"{model}?images={tmp_path / 'photos'}")
    assert (sequence.names, sequence.skipped) == (["000000.png"], ["000001.png"])
    assert "no metric scale" in sequence.notes[0]


@pytest.mark.parametrize("keep", [0, 5, 8, 60, -20])
def test_a_cut_model_is_named(tmp_path, frames, keep):
    model = colmap_binary(tmp_path, frames)
    file = model / "images.bin"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataError, match="file .*images.bin must"):
        open_sequence(model)


def test_a_pose_of_nan_costs_one_frame(tmp_path, frames):
    place = colmap_text(tmp_path, frames)
    file = place / "sparse" / "0" / "images.txt"
    lines = file.read_text().splitlines()
    words = lines[1].split()
    lines[1] = " ".join([words[0], *["nan"] * 7, *words[8:]])
    file.write_text("\n".join(lines) + "\n")
    sequence = open_sequence(place)
    assert len(sequence) == 1 and len(sequence.skipped) == 1
    assert np.isfinite(sequence.pose(0)).all()


@pytest.mark.parametrize(("model", "images"), [
    ("sparse", "images"), ("colmap/sparse/0", "images"), ("dense/sparse", "dense/images"), ("sparse/0", "images_4"),
    ("0", "images")])
def test_a_model_and_its_images_may_lie_as_colmap_nerfstudio_and_llff_have_them(tmp_path, frames, model, images):
    made = colmap_text(tmp_path / "made", frames)
    place = tmp_path / "scene"
    shutil.copytree(made / "sparse" / "0", place / model)
    shutil.copytree(made / "images", place / images)
    (place / "poses_bounds.npy").write_bytes(b"of LLFF, not read")
    sequence = open_sequence(place)
    assert len(sequence) == 2 and sequence[0].world_T_cam == pytest.approx(frames[0].world_T_cam)
