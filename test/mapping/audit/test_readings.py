"""The readings of given poses: each undoes the mistake that it is for."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.faults import FAULTS
from cl_localization.data.frame import Frame
from cl_localization.mapping.audit.readings import AS_GIVEN, READINGS, cause_of
from core_makers import CAMERA, motion

MISTAKES = {"opengl": "camera axes of OpenGL", "inverse": "world-to-camera poses", "w_first": "quaternions w first",
            "forward": "image frame not optical"}
POSE = motion(np.array([0.3, -1.2, 0.5]), np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("reading", READINGS[1:], ids=lambda reading: reading.name)
def test_a_reading_gives_back_the_pose_that_was_meant(reading) -> None:
    fault = next(fault for fault in FAULTS if fault.name == MISTAKES[reading.name])
    frame = Frame(0, np.zeros((CAMERA.height_px, CAMERA.width_px, 3), np.uint8), CAMERA, world_T_cam=POSE)
    given = fault.bend(frame).world_T_cam
    assert not np.allclose(given, POSE, atol=0.1)
    np.testing.assert_allclose(reading.as_meant(given), POSE, atol=1e-9)


def test_the_first_reading_is_as_given() -> None:
    assert READINGS[0] is AS_GIVEN
    np.testing.assert_array_equal(AS_GIVEN.as_meant(POSE), POSE)


def test_every_other_reading_has_a_cause() -> None:
    assert all(cause_of(reading.name) for reading in READINGS[1:])
    assert (cause_of("given"), cause_of("unheard of")) == ("", "")
