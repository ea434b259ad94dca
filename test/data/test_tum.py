"""TUM RGB-D folders."""

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.data.trajectory import interpolated, nearest_index, write_trajectory
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import pose_error
from data.makers import CAMERA, make_image, make_pose, write_image

MS = 1_000_000


@pytest.fixture
def folder(tmp_path):
    """Images at 1.00, 1.03 and (missing) 1.06 s; depth at 1.005 and (missing) 1.2 s; poses at 0.99 and 1.02 s."""
    place = tmp_path / "rgbd_dataset_freiburg1_desk"
    for index, stamp in enumerate(("1.00", "1.03")):
        write_image(place / "rgb" / f"{stamp}.png", make_image(index))
    write_image(place / "depth" / "1.005.png", np.full((24, 32), 5000, np.uint16))
    (place / "rgb.txt").write_text("# color images\n1.06 rgb/1.06.png\n1.00 rgb/1.00.png\n1.03 rgb/1.03.png\n")
    (place / "depth.txt").write_text("# depth\n1.005 depth/1.005.png\n1.2 depth/1.2.png\n")
    write_trajectory(place / "groundtruth.txt", [(990 * MS, make_pose(1)), (1020 * MS, make_pose(2))])
    write_camera_yaml(CAMERA, place / "camera.yaml")
    return place


def test_images_depth_and_poses_are_brought_together_by_time(folder):
    sequence = open_sequence(folder)
    assert (sequence.names, sequence.skipped) == (["1.00", "1.03"], ["1.06"])
    first, second = sequence
    assert (first.stamp_ns, second.stamp_ns) == (1000 * MS, 1030 * MS)
    assert first.depth_m == pytest.approx(np.ones((24, 32)))
    assert second.depth_m is None
    assert pose_error(first.world_T_cam,
                      interpolated(make_pose(1), make_pose(2), 1 / 3)) == pytest.approx((0, 0), abs=1e-6)
    assert pose_error(second.world_T_cam, make_pose(2)) == pytest.approx((0, 0), abs=1e-6)


def test_an_image_far_from_every_pose_has_none(folder):
    assert open_sequence(f"{folder}?max_difference_s=0.005&max_gap_s=0.01")[1].world_T_cam is None


def test_a_depth_image_that_is_listed_but_missing_leaves_another_one_that_is_near(folder):
    (folder / "depth.txt").write_text("1.001 depth/1.001.png\n1.005 depth/1.005.png\n")
    assert open_sequence(folder)[0].depth_m == pytest.approx(np.ones((24, 32)))
    (folder / "depth" / "1.005.png").unlink()
    assert open_sequence(folder).notes == [] and open_sequence(folder)[0].depth_m is None


def test_poses_of_another_file_are_taken_instead(folder, tmp_path):
    write_trajectory(tmp_path / "better.txt", [(1000 * MS, make_pose(7))])
    assert np.allclose(open_sequence(f"{folder}?poses={tmp_path / 'better.txt'}").pose(0), make_pose(7), atol=1e-6)


def test_associations_name_colour_or_depth_first_whatever_the_folder_is_called(folder, tmp_path):
    (folder / "rgb.txt").unlink()
    place = folder.rename(tmp_path / "depth_of_a_desk")
    for line in ("1.00 rgb/1.00.png 1.005 depth/1.005.png", "1.005 depth/1.005.png 1.00 rgb/1.00.png"):
        (place / "associations.txt").write_text(line + "\n")
        frame = open_sequence(place)[0]
        assert frame.stamp_ns == 1000 * MS and frame.depth_m == pytest.approx(np.ones((24, 32)))


def test_a_camera_file_of_the_user_goes_before_that_of_the_data_set(folder):
    (folder / "calibration.txt").write_text("99 99 15 11\n")
    assert open_sequence(folder).camera_at(0).fx_px == pytest.approx(CAMERA.fx_px)


def test_without_depth_and_poses_images_are_enough(folder):
    (folder / "depth.txt").unlink()
    (folder / "groundtruth.txt").unlink()
    frame = open_sequence(folder)[0]
    assert (frame.depth_m, frame.world_T_cam) == (None, None)


def test_the_camera_is_known_by_the_name_of_the_data_set(folder):
    (folder / "camera.yaml").unlink()
    write_image(folder / "rgb" / "1.00.png", np.zeros((480, 640, 3), np.uint8))
    sequence = open_sequence(folder)
    assert sequence.files[0].camera.fx_px == pytest.approx(517.306408)
    assert sequence.files[0].camera.cx_px == pytest.approx(318.643040 + 0.5)
    assert sequence.files[0].camera.distortion == pytest.approx((0.262383, -0.953104, -0.005358, 0.002628, 1.163314))
    assert sequence.camera_source == "calibration of freiburg1"


def test_a_guessed_camera_is_reported(folder):
    (folder / "camera.yaml").unlink()
    write_image(folder / "rgb" / "1.00.png", np.zeros((480, 640, 3), np.uint8))
    other = folder.rename(folder.with_name("mine"))
    assert "default of 525 px" in open_sequence(other).notes[0]


def test_a_line_without_a_file_is_named(folder):
    (folder / "rgb.txt").write_text("1.00\n")
    with pytest.raises(DataError, match=r"line 1 of .*rgb\.txt must be: stamp file"):
        open_sequence(folder)


def test_the_nearest_stamp_is_found_within_the_bound():
    stamps_ns = np.array([10, 20, 40])
    assert [nearest_index(stamps_ns, stamp, 5) for stamp in (5, 14, 16, 30, 45, 46)] == [0, 0, 1, None, 2, None]
    assert nearest_index(np.array([], np.int64), 5, 5) is None


def test_poses_whose_stamps_miss_the_images_are_told_with_both_ranges_and_the_unit(folder):
    lines = [f"{stamp_ns} 0 0 0 0 0 0 1" for stamp_ns in (990 * MS, 1040 * MS)]
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    note = open_sequence(folder).notes[-1]
    assert note.startswith("no image has a pose: images are stamped 1.000000000 to 1.030000000 s, poses of ")
    assert note.endswith("990000000.000000000 to 1040000000.000000000 s; the poses' stamps look like nanoseconds, "
                         "write seconds")


def test_the_unit_of_depth_is_an_option_and_the_default_is_told(folder):
    assert "depth is taken as TUM's, 1/5000 m a step" in open_sequence(folder).notes[0]
    sequence = open_sequence(f"{folder}?depth_unit_m=0.001")
    assert sequence.notes == [] and sequence[0].depth_m == pytest.approx(np.full((24, 32), 5.0))
    assert open_sequence(f"{folder}?depth=false")[0].depth_m is None
    with pytest.raises(DataError, match="option depth_unit_m must lie in 1e-06 to 1000 m, found 5000"):
        open_sequence(f"{folder}?depth_unit_m=5000")


def test_images_of_another_size_need_a_calibration(folder):
    (folder / "camera.yaml").unlink()
    with pytest.raises(DataError, match="must be 640x480 for the calibration of freiburg1, found 32x24; put a camera"):
        open_sequence(folder)
