"""A rendered scene written in each layout comes back with its own cameras, poses, depth and pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.camera_file import write_camera_yaml
from cl_localization.data.open import _format_of
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import FULL_DEPTH, HALF_DEPTH, LAYOUTS, NO_DEPTH, half_depth, rendered_frames

BY_TIME = ("euroc", "eth3d", "openloris")
STAMPED_AT_30_HZ = ("3dmatch", "bundle_fusion", "scannet")


@pytest.fixture(scope="module")
def frames():
    """Frames of a camera without symmetry."""
    return rendered_frames()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_scene_comes_back_as_it_was_rendered(frames, layout, tmp_path):
    write, name, depth = LAYOUTS[layout]
    place = write(tmp_path, frames)
    assert _format_of(place) == name
    sequence = open_sequence(place)
    assert len(sequence) == len(frames) and sequence.skipped == [] and sequence.camera_source
    for index, (read, frame) in enumerate(zip(sequence, frames)):
        np.testing.assert_array_equal(read.image, frame.image)
        for key in ("fx_px", "fy_px", "cx_px", "cy_px"):
            assert getattr(read.camera, key) == pytest.approx(getattr(frame.camera, key), abs=1e-9), key
        assert pose_error(read.world_T_cam, frame.world_T_cam) == pytest.approx((0, 0), abs=2e-6)
        assert read.stamp_ns - sequence[0].stamp_ns == frame.stamp_ns or layout in STAMPED_AT_30_HZ
        assert sequence.has_depth(index) == (depth != NO_DEPTH) == (read.depth_m is not None)
        if depth == FULL_DEPTH:
            np.testing.assert_allclose(read.depth_m, frame.depth_m, atol=1e-6)
        elif depth == HALF_DEPTH:
            np.testing.assert_allclose(read.depth_m, half_depth(frame).repeat(2, axis=0).repeat(2, axis=1), atol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_calibration_from_elsewhere_is_taken_by_every_reader(frames, layout, tmp_path):
    write, _, depth = LAYOUTS[layout]
    camera = replace(frames[0].camera, fx_px=100.0, cy_px=40.0)
    write_camera_yaml(camera, tmp_path / "other.yaml")
    sequence = open_sequence(f"{write(tmp_path / 'scene', frames)}?camera={tmp_path / 'other.yaml'}")
    assert sequence[1].camera == camera and sequence.camera_at(0) == camera
    assert sequence.camera_source == str(tmp_path / "other.yaml")
    assert sequence.has_depth(1) == (depth != NO_DEPTH)


@pytest.mark.parametrize("layout", [name for name, (_, _, depth) in LAYOUTS.items() if depth != NO_DEPTH])
def test_depth_may_be_left_out_or_have_another_unit_in_every_reader(frames, layout, tmp_path):
    place = LAYOUTS[layout][0](tmp_path, frames)
    assert open_sequence(f"{place}?depth=false")[0].depth_m is None
    factor = {"eth3d": 2.5}.get(layout, 0.5) if layout not in ("record3d", "nerf_capture") else 1.0
    np.testing.assert_allclose(open_sequence(f"{place}?depth_unit_m=0.0005")[0].depth_m,
                               factor * open_sequence(place)[0].depth_m, rtol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_pose_of_nan_costs_one_frame_or_its_pose(frames, layout, tmp_path):
    wrong = replace(frames[1], world_T_cam=np.where(np.arange(4) == 3, np.nan, frames[1].world_T_cam))
    options = {"max_gap_s": 0.15} if layout in BY_TIME else {}
    sequence = open_sequence(LAYOUTS[layout][0](tmp_path, [frames[0], wrong, frames[2]]), **options)
    posed = [frame.name for frame in sequence if frame.world_T_cam is not None]
    assert len(posed) == 2 and (len(sequence), len(sequence.skipped)) in ((2, 1), (3, 0))
