"""EuRoC and TUM-VI folders: options, other ground truths, lists that are wrong."""

from __future__ import annotations

import pytest

from cl_localization.data import open_sequence
from cl_localization.data.trajectory import write_trajectory
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.se3 import inverse, pose_error
from data.layout_makers import BODY_T_CAM, euroc, rendered_frames

START_NS = 1403636579763555584


@pytest.fixture(scope="module")
def frames():
    """Three frames."""
    return rendered_frames(3)


def test_poses_may_come_from_a_file_of_the_body_or_be_left_out(tmp_path, frames):
    place = euroc(tmp_path, frames)
    stamped = [(START_NS + frame.stamp_ns, frame.world_T_cam @ inverse(BODY_T_CAM)) for frame in frames[:1]]
    write_trajectory(tmp_path / "slam.txt", stamped)
    sequence = open_sequence(f"{place}?pose={tmp_path / 'slam.txt'}")
    assert pose_error(sequence.pose(0), frames[0].world_T_cam) == pytest.approx((0, 0), abs=2e-6)
    assert sequence.pose(2) is None
    assert open_sequence(f"{place}?pose=none").pose(0) is None
    with pytest.raises(DataError, match="poses leica0 must be a TUM file or a folder of .*mav0 with data.csv"):
        open_sequence(f"{place}?pose=leica0")


def test_a_motion_capture_is_a_ground_truth_too(tmp_path, frames):
    place = euroc(tmp_path, frames)
    (place / "mav0" / "state_groundtruth_estimate0").rename(place / "mav0" / "mocap0")
    sequence = open_sequence(place)
    assert "poses from mocap0, of the body" in sequence.notes[0] and sequence.pose(1) is not None


def test_another_camera_and_calibration_are_options(tmp_path, frames):
    place = euroc(tmp_path, frames)
    camera = frames[0].camera
    (place / "mav0" / "cam0").rename(place / "mav0" / "cam3")
    (tmp_path / "k.txt").write_text(f"99 98 {camera.cx_px} {camera.cy_px}")
    sequence = open_sequence(f"{place}?image=cam3&camera={tmp_path / 'k.txt'}", format="euroc")
    assert (sequence.camera_at(0).fx_px, sequence.camera_source) == (99, str(tmp_path / "k.txt"))


def test_images_that_are_missing_are_counted_and_named_by_their_list(tmp_path, frames):
    place = euroc(tmp_path, frames)
    (place / "mav0" / "cam0" / "data" / f"{START_NS}.png").unlink()
    assert open_sequence(place).skipped == [str(START_NS)]
    (place / "mav0" / "cam0" / "data.csv").unlink()
    assert len(open_sequence(place)) == 2
    (place / "mav0" / "cam0" / "data.csv").write_text("soon,soon.png\n")
    with pytest.raises(DataError, match="each line of .*data.csv must begin with a stamp"):
        open_sequence(place)


def test_a_sensor_that_is_not_on_the_body_by_a_rotation_is_refused(tmp_path, frames):
    place = euroc(tmp_path, frames)
    file = place / "mav0" / "cam0" / "sensor.yaml"
    file.write_text(file.read_text().replace("data: [", "data: [2.0, "))
    with pytest.raises(DataError, match="sensor.yaml must have 16 numbers in T_BS.data, found 17"):
        open_sequence(place)
    file.write_text(file.read_text().replace("data: [2.0, ", "data: [").replace("1.0]", "2.0]"))
    with pytest.raises(GeometryError, match="T_BS of .*sensor.yaml must"):
        open_sequence(place)
