"""A rendered scene written in each layout comes back with its own cameras, poses, depth and pixels."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data import open_sequence
from cl_localization.data.open import _format_of
from cl_localization.geometry.se3 import pose_error
from data.layout_makers import FULL_DEPTH, HALF_DEPTH, LAYOUTS, NO_DEPTH, half_depth, rendered_frames

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
