"""Video files: frames on demand, stamped by the rate of the file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.data.trajectory import write_trajectory
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera
from data.makers import make_pose

CAMERA = Camera(64, 48, 60, 60, 32, 24)
RATE_HZ, FRAMES = 20, 80


@pytest.fixture
def film(tmp_path):
    """A video whose frames are as bright as their number, with a calibration beside it."""
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE_HZ, (64, 48))
    for index in range(FRAMES):
        writer.write(np.full((48, 64, 3), 3 * index, np.uint8))
    writer.release()
    write_camera_yaml(CAMERA, tmp_path / "camera.yaml")
    return path


def number_of(frame):
    """Return the number that a frame's brightness says."""
    return round(float(frame.image.mean()) / 3)


def test_frames_come_in_any_order_with_the_stamps_of_the_rate(film):
    sequence = open_sequence(film)
    assert len(sequence) == FRAMES and sequence.camera_source.endswith("camera.yaml")
    for index in (0, 1, 5, 3, 79, 78, 0, 70, 2):
        assert number_of(sequence[index]) == index
        assert sequence[index].stamp_ns == index * 10**9 // RATE_HZ
    assert [number_of(frame) for frame in open_sequence(f"{film}[::10]")] == list(range(0, FRAMES, 10))


def test_the_calibration_may_lie_elsewhere_and_the_rate_be_another(film, tmp_path):
    (tmp_path / "camera.yaml").rename(tmp_path / "calibration.yaml")
    with pytest.raises(DataError, match="walk.avi needs the calibration of its camera; give .camera=FILE"):
        open_sequence(film)
    sequence = open_sequence(f"{film}?camera={tmp_path / 'calibration.yaml'}&rate_hz=10")
    assert sequence.camera_at(0) == CAMERA and sequence[3].stamp_ns == 300_000_000
    assert sequence.notes == ["frames are stamped by a rate of 10 Hz, from 0 s on"]


def test_poses_are_found_by_time(film, tmp_path):
    write_trajectory(tmp_path / "poses.txt", [(0, make_pose(1)), (50_000_000, make_pose(2))])
    sequence = open_sequence(f"{film}?poses={tmp_path / 'poses.txt'}")
    assert sequence.pose(1) == pytest.approx(make_pose(2)) and sequence.pose(40) is None


def test_a_calibration_of_another_ratio_is_named(film, tmp_path):
    write_camera_yaml(Camera(64, 64, 60, 60, 32, 32), tmp_path / "camera.yaml")
    with pytest.raises(GeometryError, match="camera of calibration .*camera.yaml must be of images of 64x48"):
        open_sequence(film)


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "walk.mp4").write_bytes(b"no video" * 100)
    with pytest.raises(DataError, match="video .*walk.mp4 cannot be opened"):
        open_sequence(tmp_path / "walk.mp4")
