"""7-Scenes folders."""

import shutil

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.seven_scenes import COLOUR_T_DEPTH
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.se3 import inverse
from data.makers import make_pose, write_7scenes


@pytest.fixture
def scene(tmp_path):
    """A scene of three sequences with its splits."""
    for number in (1, 2, 3):
        write_7scenes(tmp_path / "scene" / f"seq-{number:02d}", range(2))
    (tmp_path / "scene" / "TrainSplit.txt").write_text("sequence1\nsequence3\n")
    (tmp_path / "scene" / "TestSplit.txt").write_text("sequence2\n")
    return tmp_path / "scene"


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_sequence_is_recognised_and_ordered_by_number(tmp_path, suffix):
    write_7scenes(tmp_path / "seq-01", suffix=suffix)
    sequence = open_sequence(tmp_path / "seq-01")
    assert sequence.names == ["frame-000000", "frame-000002", "frame-000004"]
    assert [frame.stamp_ns for frame in sequence] == [0, 66_666_666, 133_333_332]
    assert sequence[1].camera.focal_px == 525


def test_poses_are_moved_to_the_colour_camera_and_depth_is_registered(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    frame = open_sequence(tmp_path / "seq-01")[1]
    assert frame.world_T_cam == pytest.approx(make_pose(2) @ inverse(COLOUR_T_DEPTH))
    assert 0 < (frame.depth_m > 0).mean() < 0.9


def test_without_calibration_depth_and_pose_are_as_on_the_disk(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    frame = open_sequence(f"{tmp_path}/seq-01?calibrated=false")[1]
    assert frame.world_T_cam == pytest.approx(make_pose(2))
    assert (frame.depth_m == np.float32(2.0)).all()


def test_missing_depth_or_pose_leaves_the_frame_without_it(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    (tmp_path / "seq-01" / "frame-000000.depth.png").unlink()
    (tmp_path / "seq-01" / "frame-000002.pose.txt").unlink()
    sequence = open_sequence(tmp_path / "seq-01")
    assert (sequence[0].depth_m, sequence[1].world_T_cam, sequence.pose(1)) == (None, None, None)
    assert sequence.skipped == []


def test_frames_with_an_infinite_pose_are_skipped_and_counted(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    (tmp_path / "seq-01" / "frame-000002.pose.txt").write_text("-1.#INF " * 16)
    sequence = open_sequence(tmp_path / "seq-01")
    assert (sequence.names, sequence.skipped) == (["frame-000000", "frame-000004"], ["frame-000002"])


def test_a_pose_that_is_no_rotation_is_named(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    (tmp_path / "seq-01" / "frame-000002.pose.txt").write_text("2 0 0 0  0 2 0 0  0 0 2 0  0 0 0 1")
    with pytest.raises(GeometryError, match=r"frame-000002\.pose\.txt must hold a rotation"):
        open_sequence(tmp_path / "seq-01")


def test_an_image_of_another_size_is_named(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    from data.makers import make_image, write_image
    write_image(tmp_path / "seq-01" / "frame-000000.color.png", make_image(0))
    with pytest.raises(DataError, match="must be 640x480 for the calibration of 7-Scenes, found 32x24; put"):
        open_sequence(tmp_path / "seq-01")[0]


def test_a_scene_gives_its_sequences_one_after_the_other(scene):
    sequence = open_sequence(scene)
    assert sequence.names[1:3] == ["seq-01/frame-000001", "seq-02/frame-000000"]
    stamps_ns = [frame.stamp_ns for frame in sequence]
    assert stamps_ns == sorted(set(stamps_ns))


@pytest.mark.parametrize("spec", ["?split=train", "@TrainSplit.txt"])
def test_the_split_of_a_scene_is_taken_by_option_or_listing(scene, spec):
    groups = {name.split("/")[0] for name in open_sequence(f"{scene}{spec}").names}
    assert groups == {"seq-01", "seq-03"}


def test_an_unknown_split_is_named(scene):
    with pytest.raises(DataError, match="option split must be all, train or test, found 'val'"):
        open_sequence(scene, split="val")


def test_a_split_of_a_sequence_that_is_not_there_is_named(scene):
    shutil.rmtree(scene / "seq-03")
    with pytest.raises(DataError,
                       match="must list sequences that are there, found .*sequence3.*beside it are seq-01, seq-02"):
        open_sequence(scene, split="train")


def test_a_single_sequence_has_no_split(scene):
    with pytest.raises(DataError, match="split train needs the folder of a scene"):
        open_sequence(scene / "seq-01", split="train")


def test_damaged_stamps_of_an_export_are_named(tmp_path):
    write_7scenes(tmp_path / "seq-01")
    (tmp_path / "seq-01" / "stamps.txt").write_text("frame-000000 soon\n")
    with pytest.raises(DataError, match="must have a name and nanoseconds in each line"):
        open_sequence(tmp_path / "seq-01")
