"""Folders of images with a calibration."""

import os

import pytest

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.data.trajectory import write_trajectory
from cl_localization.errors import DataError
from data.makers import CAMERA, make_image, make_pose, write_image

S = 1_000_000_000


def image_folder(folder, names, sub=""):
    """Write images of these names and a calibration."""
    for index, name in enumerate(names):
        write_image(folder / sub / name, make_image(index))
    write_camera_yaml(CAMERA, folder / "camera.yaml")
    return folder


@pytest.mark.parametrize("sub", ["", "images"])
def test_images_without_poses_come_in_order_of_their_names(tmp_path, sub):
    sequence = open_sequence(image_folder(tmp_path, ["r_10.png", "r_2.jpg"], sub))
    assert [(frame.name, frame.stamp_ns, frame.world_T_cam) for frame in sequence] == [("r_2", 0, None),
                                                                                       ("r_10", S // 10, None)]
    assert sequence[0].camera == CAMERA


@pytest.mark.parametrize("names", [("2.500000.png", "1.500000.png"),
                                   ("0000000002500000000.png", "0000000001500000000.png")])
def test_names_that_are_stamps_find_their_poses_by_time(tmp_path, names):
    folder = image_folder(tmp_path, names)
    write_trajectory(folder / "poses.txt", [(1 * S, make_pose(1)), (int(1.5 * S), make_pose(2))])
    early, late = open_sequence(folder)
    assert (early.stamp_ns, late.stamp_ns) == (int(1.5 * S), int(2.5 * S))
    assert early.world_T_cam == pytest.approx(make_pose(2))
    assert late.world_T_cam is None


def test_names_that_are_no_stamps_take_the_poses_line_by_line(tmp_path):
    folder = image_folder(tmp_path, ["a.png", "b.png", "c.png"])
    write_trajectory(folder / "poses.txt", [(5 * S, make_pose(1)), (6 * S, make_pose(2))])
    with (folder / "poses.txt").open("a") as stream:
        stream.write("7.0 nan 0 0 0 0 0 1\n")
    frames = list(open_sequence(folder))
    assert [frame.stamp_ns for frame in frames] == [5 * S, 6 * S, 7 * S]
    assert frames[1].world_T_cam == pytest.approx(make_pose(2))
    assert frames[2].world_T_cam is None


def test_poses_that_do_not_fit_the_images_are_refused(tmp_path):
    folder = image_folder(tmp_path, ["a.png", "b.png"])
    write_trajectory(folder / "poses.txt", [(5 * S, make_pose(1))])
    with pytest.raises(DataError, match="must have a line for each of the 2 images of .*, found 1"):
        open_sequence(folder)


def test_two_images_of_one_stamp_are_refused(tmp_path):
    with pytest.raises(DataError, match="stamp of image .* must be its own, found that of"):
        open_sequence(image_folder(tmp_path, ["1.50.png", "1.5.png"]))


def test_calibration_and_poses_may_lie_elsewhere(tmp_path):
    folder = image_folder(tmp_path / "photos", ["a.png"])
    (folder / "camera.yaml").rename(tmp_path / "mine.yaml")
    write_trajectory(tmp_path / "mine.txt", [(5 * S, make_pose(1))])
    sequence = open_sequence(f"{folder}?camera={tmp_path}/mine.yaml&poses={tmp_path}/mine.txt", format="images")
    assert sequence[0].stamp_ns == 5 * S


def test_poses_that_were_named_must_be_there(tmp_path):
    with pytest.raises(DataError, match="nowhere.txt is missing"):
        open_sequence(image_folder(tmp_path, ["a.png"]), poses="nowhere.txt")


def test_a_folder_without_images_is_refused(tmp_path):
    write_camera_yaml(CAMERA, tmp_path / "camera.yaml")
    with pytest.raises(DataError, match="must hold images"):
        open_sequence(tmp_path, format="images")


def test_a_folder_of_bare_images_is_read_with_a_calibration_from_elsewhere(tmp_path):
    folder = image_folder(tmp_path, ["a.png", "b.png", "c.png"])
    (folder / "._a.png").write_bytes(b"of a mac")
    write_camera_yaml(CAMERA.scaled_to(64, 48), tmp_path / "phone.yaml")
    (folder / "camera.yaml").unlink()
    with pytest.raises(DataError, match="of images needs the calibration of its camera; give .camera=FILE .*one line: "
                                        "fx fy cx cy.*, or put camera.yaml into it"):
        open_sequence(folder)
    with pytest.raises(DataError, match="option kamera of the sequence is unknown; did you mean camera?"):
        open_sequence(f"{folder}?kamera={tmp_path / 'phone.yaml'}")
    sequence = open_sequence(f"{folder}?camera={tmp_path / 'phone.yaml'}")
    assert len(sequence) == 3 and sequence.camera_at(0) == CAMERA
    assert "phone.yaml of 64x48 scaled to images of 32x24" in sequence.notes[0]


def test_a_pipe_among_the_images_is_left_out(tmp_path):
    folder = image_folder(tmp_path, ["a.png", "b.png"])
    os.mkfifo(folder / "aa.jpg")
    assert [frame.name for frame in open_sequence(folder)] == ["a", "b"]
