"""KITTI odometry: the camera that is read, times and poses that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import kitti, rendered_frames


@pytest.fixture(scope="module")
def frames():
    """Two frames."""
    return rendered_frames(2)


def test_the_grey_camera_stands_where_the_poses_are(tmp_path, frames):
    folder = kitti(tmp_path, frames)
    colour = open_sequence(folder).pose(0)
    (folder / "image_2").rename(folder / "image_0")
    grey = open_sequence(folder).pose(0)
    assert pose_error(colour, grey)[0] == pytest.approx(np.linalg.norm([0.06, 0.001, -0.002]), abs=1e-9)


def test_times_and_poses_may_be_missing_but_not_too_few(tmp_path, frames):
    folder = kitti(tmp_path, frames)
    (folder / "times.txt").write_text("0.0\n")
    with pytest.raises(DataError, match="times.txt must have a time for each of 2 images, found 1"):
        open_sequence(folder)
    (folder / "times.txt").unlink()
    (tmp_path / "poses" / "07.txt").rename(folder / "poses.txt")
    sequence = open_sequence(folder)
    assert "images are taken as 0.1 s apart" in sequence.notes[0] and sequence.pose(1) is not None
    (folder / "poses.txt").write_text("1 2 3\n")
    with pytest.raises(DataError, match="poses .*poses.txt must have 2 lines of 12 numbers"):
        open_sequence(folder)
    (folder / "poses.txt").unlink()
    assert open_sequence(folder).pose(0) is None


def test_a_calibration_without_the_camera_is_named(tmp_path, frames):
    folder = kitti(tmp_path, frames)
    (folder / "calib.txt").write_text("P0: 1 2 3\n")
    with pytest.raises(DataError, match="P2: of .*calib.txt must hold 12 numbers"):
        open_sequence(folder)


def test_poses_of_another_file_are_taken_instead(tmp_path, frames):
    folder = kitti(tmp_path, frames)
    (tmp_path / "poses" / "07.txt").rename(tmp_path / "better.txt")
    assert open_sequence(folder).pose(0) is None
    assert pose_error(open_sequence(f"{folder}?poses={tmp_path / 'better.txt'}").pose(0),
                      frames[0].world_T_cam) == pytest.approx((0, 0), abs=1e-6)


def test_a_camera_that_stands_nowhere_is_named(tmp_path, frames):
    folder = kitti(tmp_path, frames)
    (folder / "calib.txt").write_text("P2: 500 0 72 nan 0 500 50 0 0 0 1 0\n")
    with pytest.raises(DataError, match="P2: of .*calib.txt must hold 12 numbers"):
        open_sequence(folder)
