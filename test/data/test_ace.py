"""Scenes of ACE and DSAC*: splits, single focal lengths, files that do not fit each other."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from data.layout_makers import ace, rendered_frames


@pytest.fixture
def scene(tmp_path):
    """A scene with three frames to map and the same to test."""
    ace(tmp_path, rendered_frames(3))
    shutil.copytree(tmp_path / "train", tmp_path / "test")
    return tmp_path


def test_splits_come_one_after_the_other_or_alone(scene):
    assert open_sequence(scene).names[2:4] == ["train/000002", "test/000000"]
    assert open_sequence(f"{scene}?split=test").names == ["test/000000", "test/000001", "test/000002"]
    assert open_sequence(scene / "train").names == ["000000", "000001", "000002"]
    with pytest.raises(DataError, match="split test needs the folder of a scene"):
        open_sequence(f"{scene / 'train'}?split=test")


def test_one_number_is_a_focal_length_with_the_principal_point_in_the_middle(scene):
    (scene / "train" / "calibration" / "000000.txt").write_text("111.5\n")
    camera = open_sequence(scene).camera_at(0)
    assert (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px) == (111.5, 111.5, 72, 50)


def test_every_image_needs_its_files(scene):
    (scene / "train" / "poses" / "000001.txt").unlink()
    with pytest.raises(DataError, match="folder .*train/poses must have a file for each of 3 images, found 2"):
        open_sequence(scene)


def test_a_pose_of_infinity_costs_one_frame_and_hidden_files_none(scene):
    np.savetxt(scene / "train" / "poses" / "000001.txt", np.full((4, 4), np.inf))
    (scene / "train" / "rgb" / "._000000.png").write_bytes(b"of a mac")
    sequence = open_sequence(f"{scene}?split=train&depth=false")
    assert (sequence.names, sequence.skipped) == (["train/000000", "train/000002"], ["train/000001"])
    assert sequence[0].depth_m is None


def test_a_calibration_of_two_numbers_is_named(scene):
    (scene / "train" / "calibration" / "000000.txt").write_text("500 500\n")
    with pytest.raises(DataError, match="calibration .*000000.txt must hold a focal length or a 3x3 matrix, found 2"):
        open_sequence(scene)
