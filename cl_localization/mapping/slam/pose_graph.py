"""Keyframe poses that agree best with how each was seen from others: a pose graph, solved by GTSAM.

What a keyframe was localized by, the codes of other keyframes, ties it to those; a recognised place ties it to
keyframes of long ago. Those ties may be wrong: a robust (Cauchy) loss keeps one that disagrees with the rest from
bending the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cl_localization.errors import ConfigError

try:
    import gtsam
except ImportError as error:
    raise ConfigError("mapping with own poses", "needs the package gtsam", "none",
                      "install it with: pip install --no-deps gtsam") from error

ITERATIONS = 30
CAUCHY_SIGMAS = 5.0
FIXED_SIGMA = 1e-6


@dataclass(frozen=True, eq=False)
class Tie:
    """What was measured between two keyframes.

    Attributes:
        first, second: their numbers.
        first_T_second: (4, 4).
        sigma_m, sigma_rad: standard deviations of position and rotation.
        is_loop: whether it may be wrong altogether.
    """

    first: int
    second: int
    first_T_second: np.ndarray
    sigma_m: float
    sigma_rad: float
    is_loop: bool = False


def agreed_poses(keyframes: np.ndarray, world_T_cam: np.ndarray, ties: Sequence[Tie], fixed: int) -> np.ndarray:
    """Return the poses (K, 4, 4) of keyframes (K,) that agree best with ties; those to other keyframes say nothing.

    Args:
        world_T_cam: (K, 4, 4) where to begin.
        fixed: the keyframe that stays where it is.
    """
    known = set(keyframes.tolist())
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    for keyframe, pose in zip(keyframes.tolist(), world_T_cam):
        values.insert(keyframe, gtsam.Pose3(pose))
    graph.add(gtsam.PriorFactorPose3(fixed, values.atPose3(fixed), gtsam.noiseModel.Isotropic.Sigma(6, FIXED_SIGMA)))
    for keyframe in _untied(keyframes.tolist(), ties, fixed):
        graph.add(gtsam.PriorFactorPose3(keyframe, values.atPose3(keyframe),
                                         gtsam.noiseModel.Isotropic.Sigma(6, FIXED_SIGMA)))
    for tie in ties:
        if tie.first in known and tie.second in known:
            graph.add(gtsam.BetweenFactorPose3(tie.first, tie.second, gtsam.Pose3(tie.first_T_second), _noise(tie)))
    parameters = gtsam.LevenbergMarquardtParams()
    parameters.setMaxIterations(ITERATIONS)
    found = gtsam.LevenbergMarquardtOptimizer(graph, values, parameters).optimize()
    return np.stack([found.atPose3(keyframe).matrix() for keyframe in keyframes.tolist()])


def _noise(tie: Tie) -> gtsam.noiseModel.Base:
    """Return the noise of a tie; GTSAM has rotation before translation."""
    plain = gtsam.noiseModel.Diagonal.Sigmas(np.r_[np.full(3, tie.sigma_rad), np.full(3, tie.sigma_m)])
    if not tie.is_loop:
        return plain
    return gtsam.noiseModel.Robust.Create(gtsam.noiseModel.mEstimator.Cauchy.Create(CAUCHY_SIGMAS), plain)


def _untied(keyframes: list[int], ties: Sequence[Tie], fixed: int) -> list[int]:
    """Return one keyframe of every part of the graph that nothing ties to the fixed one."""
    leader = {keyframe: keyframe for keyframe in keyframes}

    def led(keyframe: int) -> int:
        while leader[keyframe] != keyframe:
            leader[keyframe] = leader[leader[keyframe]]
            keyframe = leader[keyframe]
        return keyframe

    for tie in ties:
        if tie.first in leader and tie.second in leader:
            leader[led(tie.second)] = led(tie.first)
    return sorted({led(keyframe) for keyframe in keyframes} - {led(fixed)})
