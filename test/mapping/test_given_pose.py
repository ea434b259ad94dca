"""The pose that a frame brings is checked before it is mapped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.mapping.given_pose import checked_pose
from core_makers import CAMERA, motion

FRAME = Frame(7, np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8), CAMERA)


def test_a_rigid_pose_passes() -> None:
    pose = motion(np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(checked_pose(replace(FRAME, world_T_cam=pose)), pose, atol=1e-12)


def test_no_pose_or_one_too_far_away_is_an_error() -> None:
    with pytest.raises(DataError, match="frame 7 must have a pose to be mapped"):
        checked_pose(FRAME)
    with pytest.raises(DataError, match="must lie within 100000 m of the origin"):
        checked_pose(replace(FRAME, world_T_cam=motion(np.zeros(3), np.array([2e5, 0.0, 0.0]))))
