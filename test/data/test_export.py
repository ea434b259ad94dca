"""Sequences written in the layout of 7-Scenes."""

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data import open_sequence, select
from cl_localization.data.export import WRITERS, depth_to_mm, export_7scenes, write_colmap_model
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import rendered_frames
from data.makers import CAMERA, MadeSequence, make_depth


def test_an_exported_sequence_is_read_back_as_it_was(tmp_path):
    told = []
    assert export_7scenes(MadeSequence(3, start_ns=5), tmp_path / "seq-01", progress=lambda done,
                          total: told.append((done, total))) == 3
    assert told == [(1, 3), (2, 3), (3, 3)]
    for before, after in zip(MadeSequence(3, start_ns=5), open_sequence(tmp_path / "seq-01"), strict=True):
        assert np.array_equal(after.image, before.image)
        assert after.depth_m == pytest.approx(before.depth_m, abs=1e-6)
        assert after.world_T_cam == pytest.approx(before.world_T_cam, abs=1e-12)
        assert (after.stamp_ns, after.camera) == (before.stamp_ns, before.camera)


def test_other_tools_find_plain_7scenes_files(tmp_path):
    export_7scenes(MadeSequence(1), tmp_path / "seq-01")
    assert np.loadtxt(tmp_path / "seq-01" / "frame-000000.pose.txt") == pytest.approx(MadeSequence(1).pose(0))
    assert (tmp_path / "seq-01" / "frame-000000.depth.png").is_file()


def test_a_distorted_camera_is_kept(tmp_path):
    camera = Camera(32, 24, 30.0, 30.0, 16.0, 12.0, "plumb_bob", (0.1, -0.2, 0.0, 0.0, 0.01))
    export_7scenes(MadeSequence(1, camera), tmp_path / "out")
    assert open_sequence(tmp_path / "out")[0].camera == camera


def test_frames_without_pose_stay_without(tmp_path):
    export_7scenes(MadeSequence(2, posed=False), tmp_path / "out")
    assert open_sequence(tmp_path / "out").pose(1) is None


def test_frames_of_several_cameras_are_refused_and_nothing_is_left(tmp_path):
    class Mixed(MadeSequence):
        def _frame(self, index):
            self.camera = CAMERA.scaled_to(32 + index, 24)
            return super()._frame(index)

    with pytest.raises(DataError, match="frame made-1 must have the camera of the frames before"):
        export_7scenes(Mixed(2), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_kept_unless_forced(tmp_path):
    export_7scenes(MadeSequence(3), tmp_path / "out")
    with pytest.raises(DataError, match="must not be there yet"):
        export_7scenes(MadeSequence(1), tmp_path / "out")
    export_7scenes(select(MadeSequence(3), [1]), tmp_path / "out", force=True)
    assert len(open_sequence(tmp_path / "out")) == 1


def test_depth_that_cannot_be_written_becomes_unknown():
    assert depth_to_mm(np.array([[np.nan, np.inf, -1.0, 0.0, 1.2346, 65.6]])).tolist() == [[0, 0, 0, 0, 1235, 0]]
    assert np.array_equal(depth_to_mm(make_depth(1)), np.rint(make_depth(1) * 1000).astype(np.uint16))


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
