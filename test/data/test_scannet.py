"""Exported scans of ScanNet whose depth camera is another one than the colour camera."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from data.layout_makers import rendered_frames, scannet
from data.makers import write_image


@pytest.fixture
def scan(tmp_path):
    """A scan whose depth is a flat wall, seen by a camera of half the size."""
    frames = rendered_frames(2)
    place, camera = scannet(tmp_path, frames), frames[0].camera
    small = camera.scaled_to(camera.width_px // 2, camera.height_px // 2)
    np.savetxt(place / "intrinsic" / "intrinsic_depth.txt", np.pad(small.opencv_matrix, ((0, 1), (0, 1))))
    for index in range(2):
        write_image(place / "depth" / f"{index}.png", np.full((small.height_px, small.width_px), 2500, np.uint16))
    return place


def test_depth_of_another_camera_is_registered_and_told(scan):
    sequence = open_sequence(scan)
    depth_m = sequence[0].depth_m
    assert depth_m.shape == (100, 144) and np.median(depth_m) == 2.5
    assert "depth is registered to colour" in sequence.notes[0]


def test_a_scan_without_intrinsics_asks_for_a_calibration(scan):
    (scan / "intrinsic" / "intrinsic_color.txt").unlink()
    with pytest.raises(DataError, match="must hold intrinsic/intrinsic_color.txt, found none; or give .camera=FILE"):
        open_sequence(scan)


def test_a_pose_of_infinity_costs_one_frame(scan):
    np.savetxt(scan / "pose" / "0.txt", np.full((4, 4), -np.inf))
    assert (open_sequence(scan).names, open_sequence(scan).skipped) == (["1"], ["0"])
