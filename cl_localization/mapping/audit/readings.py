"""What a given pose may have been meant to be: the conventions that are most often taken for one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM, OPENGL_T_OPENCV


@dataclass(frozen=True)
class Reading:
    """One way to read given poses.

    Attributes:
        name: short, for tables and files.
        cause: what is wrong when this reading fits and the poses as given do not; what to do about it.
        as_meant: takes a given pose (4, 4) to the world_T_cam that was meant.
    """

    name: str
    cause: str
    as_meant: Callable[[np.ndarray], np.ndarray]


def _with_w_last(given: np.ndarray) -> np.ndarray:
    """Return the pose whose quaternion, written w x y z, was read as x y z w."""
    position_m, quat_xyzw = se3.to_quaternion(given)
    return se3.from_quaternion(position_m, np.roll(quat_xyzw, -1))


AS_GIVEN = Reading("given", "", lambda given: given)

READINGS = (
    AS_GIVEN,
    Reading("opengl", "the poses have the camera axes of OpenGL (y up, z backward); they must be optical "
            "(x right, y down, z forward)", lambda given: given @ OPENGL_T_OPENCV),
    Reading("inverse", "the poses are world-to-camera; they must be camera-to-world", se3.inverse),
    Reading("w_first", "the quaternions are in the order w x y z; they must be x y z w", _with_w_last),
    Reading("forward", "the poses are of a frame with x forward and z up, such as base_link or camera_link; the frame "
            "of the image or of the odometry must be the optical one", lambda given: given @ FORWARD_BASE_T_CAM),
)
"""As given first."""


def cause_of(name: str) -> str:
    """Return what is wrong when a reading fits and the poses as given do not."""
    return next((reading.cause for reading in READINGS if reading.name == name), "")
