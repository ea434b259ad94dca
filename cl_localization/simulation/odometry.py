"""Wheel odometry that drifts: wrong scale, wrong turns, and a random walk, from a seed."""

from __future__ import annotations

import itertools

import numpy as np

from cl_localization.geometry import se3
from cl_localization.simulation.furniture import stand

SCALE_SIGMA, TURN_SIGMA = 0.01, 0.001
"""Standard deviations of the constant errors: share of the distance driven, share of the angle turned."""
WALK_M, WALK_RAD = 0.01, 0.005
"""Standard deviations of the random walk after one metre; it grows with the root of the distance."""


def drifting(seed: int, world_T_base: np.ndarray, drift: float) -> np.ndarray:
    """Return odom_T_base (N, 4, 4), planar, for true poses (N, 4, 4); it starts at the identity.

    Args:
        drift: factor on all errors; 0 gives the true motion.
    """
    rng = np.random.default_rng([seed, 9])
    scale, turn = 1 + drift * rng.normal(0, SCALE_SIGMA), 1 + drift * rng.normal(0, TURN_SIGMA)
    pose, poses = np.eye(4), [np.eye(4)]
    for before, after in itertools.pairwise(world_T_base):
        step = se3.inverse(before) @ after
        yaw, root_m = np.arctan2(step[1, 0], step[0, 0]), np.sqrt(np.linalg.norm(step[:2, 3]))
        noise = drift * root_m * rng.normal(0, 1, 3) * [WALK_M, WALK_M, WALK_RAD]
        pose = pose @ stand(step[0, 3] * scale + noise[0], step[1, 3] * scale + noise[1], yaw * turn + noise[2])
        poses.append(pose)
    return np.stack(poses)
