"""Poses of keyframes as a map keeps them: x y z qx qy qz qw."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def matrices(poses: np.ndarray) -> np.ndarray:
    """Return the matrices (K, 4, 4) of valid poses (K, 7), x y z qx qy qz qw."""
    world_T_cam = np.tile(np.eye(4), (len(poses), 1, 1))
    if len(poses):
        world_T_cam[:, :3, :3] = Rotation.from_quat(poses[:, 3:]).as_matrix()
        world_T_cam[:, :3, 3] = poses[:, :3]
    return world_T_cam


def quaternion_poses(world_T_cam: np.ndarray) -> np.ndarray:
    """Return poses (K, 7), x y z qx qy qz qw with qw >= 0, of K > 0 matrices (K, 4, 4)."""
    return np.column_stack(
        [world_T_cam[:, :3, 3], Rotation.from_matrix(world_T_cam[:, :3, :3]).as_quat(canonical=True)]
    )
