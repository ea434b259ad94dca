"""Rigid motions as 4x4 matrices, named `a_T_b`: takes points of frame b to frame a.

All functions take and return float64 NumPy arrays. Tangent vectors are (translation, rotation), in metres and radians,
the order of `geometry_msgs/PoseWithCovariance`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial.transform import Rotation

from cl_localization.errors import GeometryError

ROTATION_TOLERANCE = 1e-3
"""How far R^T R may be from the identity before a matrix read from outside is refused; text files carry 6 to 7
digits."""


def from_quaternion(position_m: np.ndarray, quat_xyzw: np.ndarray) -> np.ndarray:
    """Return the 4x4 matrix of a position (3,) and a quaternion (4,) in x y z w order, which is normalised.

    Raises:
        GeometryError: a value is not finite or the quaternion has no length.
    """
    position_m, quat_xyzw = np.asarray(position_m, float), np.asarray(quat_xyzw, float)
    if not (np.isfinite(position_m).all() and np.isfinite(quat_xyzw).all()):
        raise GeometryError("pose", "must be finite", f"{position_m} {quat_xyzw}")
    norm = np.linalg.norm(quat_xyzw)
    if norm < 1e-6:
        raise GeometryError("quaternion", "must not be zero", quat_xyzw, "send x y z w of length one")
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_quat(quat_xyzw / norm).as_matrix()
    matrix[:3, 3] = position_m
    return matrix


def to_quaternion(a_T_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return position (3,) in metres and quaternion (4,), x y z w with w >= 0, of a 4x4 matrix."""
    quat_xyzw = Rotation.from_matrix(a_T_b[:3, :3]).as_quat(canonical=True)
    return a_T_b[:3, 3].copy(), quat_xyzw


def inverse(a_T_b: np.ndarray) -> np.ndarray:
    """Return b_T_a. Works on any leading batch dimensions (..., 4, 4)."""
    rotation_t = np.swapaxes(a_T_b[..., :3, :3], -1, -2)
    b_T_a = np.zeros_like(a_T_b)
    b_T_a[..., :3, :3] = rotation_t
    b_T_a[..., :3, 3] = -(rotation_t @ a_T_b[..., :3, 3:])[..., 0]
    b_T_a[..., 3, 3] = 1.0
    return b_T_a


def transform(a_T_b: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """Return points (N, 3) of frame b in frame a."""
    return points_b @ a_T_b[:3, :3].T + a_T_b[:3, 3]


def validated(matrix: np.ndarray, thing: object) -> np.ndarray:
    """Return a 4x4 matrix read from outside with its rotation made exactly orthonormal.

    Raises:
        GeometryError: wrong shape, not finite, last row not (0 0 0 1), or no rotation (scaled, mirrored, singular).
    """
    matrix = np.asarray(matrix, float)
    if matrix.shape != (4, 4):
        raise GeometryError(thing, "must be a 4x4 matrix", f"shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise GeometryError(thing, "must be finite", "NaN or infinity", "leave the frame out or give its pose")
    if not np.allclose(matrix[3], [0, 0, 0, 1], atol=1e-6):
        raise GeometryError(thing, "must end in the row 0 0 0 1", matrix[3])
    rotation = matrix[:3, :3]
    error = np.abs(rotation.T @ rotation - np.eye(3)).max()
    if error > ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
        raise GeometryError(thing, "must hold a rotation",
                            f"|R^T R - I| = {error:.2g}, det {np.linalg.det(rotation):.2g}",
                            "remove scale or mirroring")
    u, _, vt = np.linalg.svd(rotation)
    orthonormal = matrix.copy()
    orthonormal[:3, :3] = u @ vt
    return orthonormal


def rotation_angle_deg(rotation: np.ndarray) -> np.ndarray:
    """Return the angle in degrees of rotation matrices (..., 3, 3); exact for small angles too."""
    (r00, r01, r02), (r10, r11, r12), (r20, r21, r22) = np.moveaxis(rotation, (-2, -1), (0, 1))
    twice_sine = np.sqrt((r21 - r12) ** 2 + (r02 - r20) ** 2 + (r10 - r01) ** 2)
    return np.rad2deg(np.arctan2(twice_sine, r00 + r11 + r22 - 1))


def pose_error(world_T_a: np.ndarray, world_T_b: np.ndarray) -> tuple[float, float]:
    """Return the distance in metres and the angle in degrees between two poses."""
    distance_m = float(np.linalg.norm(world_T_a[:3, 3] - world_T_b[:3, 3]))
    return distance_m, float(rotation_angle_deg(world_T_a[:3, :3].T @ world_T_b[:3, :3]))


def similarity(a_T_b: np.ndarray, scale: float | np.ndarray) -> np.ndarray:
    """Return what takes (..., 4, 4) points in b, whose unit of length is `scale` of those of a, to a."""
    matrix = np.array(a_T_b, float)
    matrix[..., :3, :3] *= np.asarray(scale, float)[..., None, None]
    return matrix


def moved(a_S_b: np.ndarray, b_T_cam: np.ndarray) -> np.ndarray:
    """Return the poses a_T_cam (..., 4, 4) of cameras whose b_T_cam a similarity (4, 4) takes to a."""
    moved = a_S_b @ b_T_cam
    moved[..., :3, :3] /= np.cbrt(np.linalg.det(a_S_b[:3, :3]))
    return moved


def difference(world_T_a: np.ndarray, world_T_b: np.ndarray) -> np.ndarray:
    """Return what leads from pose b to pose a (6,): translation and rotation vector, both in world axes."""
    turned = Rotation.from_matrix(world_T_a[:3, :3] @ world_T_b[:3, :3].T).as_rotvec()
    return np.concatenate([world_T_a[:3, 3] - world_T_b[:3, 3], turned])


def skew(vectors: np.ndarray) -> np.ndarray:
    """Return the cross-product matrices (..., 3, 3) of vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape[:-1], 3, 3)


def rotation_from_vector(rotation_vector: np.ndarray) -> np.ndarray:
    """Return the 3x3 matrix of a rotation vector (3,) in radians; of one vector in a tenth of the time of SciPy's."""
    angle_rad = math.sqrt(float(rotation_vector @ rotation_vector))
    share = math.sin(angle_rad / 2) / angle_rad if angle_rad > 0 else 0.5
    x, y, z = (share * component for component in rotation_vector.tolist())
    w = math.cos(angle_rad / 2)
    return np.array([[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                     [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                     [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)]])


def largest_sigma(covariance: np.ndarray) -> float:
    """Return the standard deviation along the least certain direction of a covariance (3, 3), in its unit.

    Infinite where an entry is NaN or infinite, or no direction has a variance: what is not known is never certain.
    """
    largest = float(np.linalg.eigvalsh(covariance)[-1]) if np.isfinite(covariance).all() else float("inf")
    return float("inf") if largest < 0 else float(np.sqrt(largest))


def from_quaternions(poses: np.ndarray) -> np.ndarray:
    """Return the matrices (K, 4, 4) of valid poses (K, 7), x y z qx qy qz qw."""
    a_T_b = np.tile(np.eye(4), (len(poses), 1, 1))
    if len(poses):
        a_T_b[:, :3, :3] = Rotation.from_quat(poses[:, 3:]).as_matrix()
        a_T_b[:, :3, 3] = poses[:, :3]
    return a_T_b


def to_quaternions(a_T_b: np.ndarray) -> np.ndarray:
    """Return poses (K, 7), x y z qx qy qz qw with qw >= 0, of K > 0 matrices (K, 4, 4)."""
    return np.column_stack([a_T_b[:, :3, 3], Rotation.from_matrix(a_T_b[:, :3, :3]).as_quat(canonical=True)])
