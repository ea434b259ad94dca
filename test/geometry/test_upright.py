"""Which way up images are, from where the camera is on its robot."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.data.sequence import FORWARD_BASE_T_CAM
from cl_localization.geometry.upright import upright_turns
from core_makers import motion


def rolled(roll_deg: float, tilt_deg: float = 0.0) -> np.ndarray:
    """Return the pose (4, 4) on the robot of a camera that looks ahead, tilted down and then rolled clockwise."""
    tilt = motion(np.deg2rad([-tilt_deg, 0.0, 0.0]), np.zeros(3))
    return FORWARD_BASE_T_CAM @ tilt @ motion(np.deg2rad([0.0, 0.0, roll_deg]), np.zeros(3))


@pytest.mark.parametrize(("roll_deg", "turns"), [(0, 0), (90, 1), (180, 2), (270, 3), (-90, 3), (30, 0), (-40, 0),
                                                 (60, 1), (140, 2), (359, 0)])
@pytest.mark.parametrize("tilt_deg", [-50.0, 0.0, 40.0])
def test_a_camera_that_is_rolled_clockwise_needs_as_many_turns_clockwise(roll_deg, turns, tilt_deg):
    assert upright_turns(rolled(roll_deg, tilt_deg)) == turns


@pytest.mark.parametrize("tilt_deg", [-90.0, 90.0, 80.0])
@pytest.mark.parametrize("roll_deg", [0, 90, 180])
def test_a_camera_that_looks_at_the_ceiling_or_the_floor_is_left_as_it_is(tilt_deg, roll_deg):
    assert upright_turns(rolled(roll_deg, tilt_deg)) == 0
