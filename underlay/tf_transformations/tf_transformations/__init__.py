"""Quaternions in the order of ROS, x y z w, on the functions of transforms3d, which has w x y z."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from transforms3d import euler, quaternions

Quaternion = tuple[float, float, float, float]


def _from_wxyz(quat_wxyz: Sequence[float]) -> Quaternion:
    w, x, y, z = quat_wxyz
    return x, y, z, w


def _to_wxyz(quaternion: Sequence[float]) -> Quaternion:
    x, y, z, w = quaternion
    return w, x, y, z


def _affine(rotation: np.ndarray) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    return matrix


def quaternion_matrix(quaternion: Sequence[float]) -> np.ndarray:
    """Return the 4x4 matrix that turns as a quaternion does."""
    return _affine(quaternions.quat2mat(_to_wxyz(quaternion)))


def quaternion_from_matrix(matrix: np.ndarray) -> Quaternion:
    """Return the quaternion of the rotation in a 4x4 matrix."""
    return _from_wxyz(quaternions.mat2quat(np.asarray(matrix)[:3, :3]))


def euler_matrix(ai: float, aj: float, ak: float, axes: str = "sxyz") -> np.ndarray:
    """Return the 4x4 matrix of three angles [rad] about the axes; the default is roll, pitch, yaw."""
    return _affine(euler.euler2mat(ai, aj, ak, axes=axes))


def euler_from_matrix(matrix: np.ndarray, axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the three angles [rad] of the rotation in a 4x4 matrix."""
    return euler.mat2euler(matrix, axes=axes)


def quaternion_from_euler(ai: float, aj: float, ak: float, axes: str = "sxyz") -> Quaternion:
    """Return the quaternion of three angles [rad]; the default is roll, pitch, yaw."""
    return _from_wxyz(euler.euler2quat(ai, aj, ak, axes=axes))


def euler_from_quaternion(quaternion: Sequence[float], axes: str = "sxyz") -> tuple[float, float, float]:
    """Return the three angles [rad] of a quaternion."""
    return euler_from_matrix(quaternion_matrix(quaternion), axes)


def quaternion_multiply(quaternion1: Sequence[float], quaternion0: Sequence[float]) -> Quaternion:
    """Return the quaternion that turns by quaternion0 first, then by quaternion1."""
    return _from_wxyz(quaternions.qmult(_to_wxyz(quaternion1), _to_wxyz(quaternion0)))


def quaternion_inverse(quaternion: Sequence[float]) -> np.ndarray:
    """Return the quaternion that turns back, (4,)."""
    return np.array(_from_wxyz(quaternions.qinverse(_to_wxyz(quaternion))))
