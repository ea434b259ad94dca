"""Keyframe poses that agree best with how each was seen from others: a pose graph, solved by GTSAM.

What a keyframe was localized by, the codes of other keyframes, ties it to those; a recognised place ties it to
keyframes of long ago. Those ties may be wrong: a robust (Cauchy) loss keeps one that disagrees with the rest from
bending the map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cl_localization.errors import ConfigError

try:
    import gtsam
except ImportError as error:
    raise ConfigError("mapping with own poses", "needs the package gtsam", "none",
                      "install it with: pip install --no-deps gtsam") from error

ITERATIONS = 30
CAUCHY_SIGMAS = 5.0
FIXED_SIGMA = 1e-6

SCALE_SIGMA, LOOP_SCALE_SIGMA = 0.003, 0.01
"""How exactly a keyframe tells how long a metre of the next one is, and of an old place that is seen again."""


@dataclass(frozen=True, eq=False)
class Tie:
    """What was measured between two keyframes.

    Attributes:
        first, second: their numbers.
        first_T_second: (4, 4).
        sigma_m, sigma_rad: standard deviations of position and rotation.
        is_loop: whether it may be wrong altogether.
        is_as_mapped: whether it only says that the two lie to each other as the map has it.
        scale: the unit of length around the second, in units of the first.
    """

    first: int
    second: int
    first_T_second: np.ndarray
    sigma_m: float
    sigma_rad: float
    is_loop: bool = False
    is_as_mapped: bool = False
    scale: float = 1.0


def agreed_poses(keyframes: np.ndarray, world_T_cam: np.ndarray, ties: Sequence[Tie], fixed: int) -> np.ndarray:
    """Return the poses (K, 4, 4) of keyframes (K,) that agree best with ties; those to other keyframes say nothing.

    Args:
        world_T_cam: (K, 4, 4) where to begin.
        fixed: the keyframe that stays where it is.
    """
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    for keyframe, pose in zip(keyframes.tolist(), world_T_cam):
        values.insert(keyframe, gtsam.Pose3(pose))
    for keyframe in _held(keyframes, ties, fixed):
        graph.add(gtsam.PriorFactorPose3(keyframe, values.atPose3(keyframe),
                                         gtsam.noiseModel.Isotropic.Sigma(6, FIXED_SIGMA)))
    for tie in _within(keyframes, ties):
        graph.add(gtsam.BetweenFactorPose3(tie.first, tie.second, gtsam.Pose3(tie.first_T_second),
                                           _noise(tie, [tie.sigma_rad] * 3 + [tie.sigma_m] * 3)))
    found = _optimized(graph, values)
    return np.stack([found.atPose3(keyframe).matrix() for keyframe in keyframes.tolist()])


def agreed_similarities(keyframes: np.ndarray, world_T_cam: np.ndarray, ties: Sequence[Tie],
                        fixed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (K, 4, 4) as `agreed_poses`, and by how much (K,) the map grows around each: without depth, the unit
    of length drifts, too (Strasdat et al., 2010)."""
    graph, values = gtsam.NonlinearFactorGraph(), gtsam.Values()
    for keyframe, pose in zip(keyframes.tolist(), world_T_cam):
        values.insert(keyframe, _similarity(pose, 1.0))
    for keyframe in _held(keyframes, ties, fixed):
        graph.add(gtsam.PriorFactorSimilarity3(keyframe, values.atSimilarity3(keyframe),
                                               gtsam.noiseModel.Isotropic.Sigma(7, FIXED_SIGMA)))
    for tie in _within(keyframes, ties):
        scale_sigma = LOOP_SCALE_SIGMA if tie.is_loop else SCALE_SIGMA
        graph.add(gtsam.BetweenFactorSimilarity3(
            tie.first, tie.second, _similarity(tie.first_T_second, tie.scale),
            _noise(tie, [tie.sigma_rad] * 3 + [tie.sigma_m] * 3 + [scale_sigma])))
    found = _optimized(graph, values)
    similarities = [found.atSimilarity3(keyframe) for keyframe in keyframes.tolist()]
    scales = np.array([one.scale() for one in similarities])
    poses = np.stack([gtsam.Pose3(one.rotation(), one.scale() * one.translation()).matrix() for one in similarities])
    return poses, scales


def _similarity(first_T_second: np.ndarray, scale: float) -> gtsam.Similarity3:
    """Return a pose (4, 4) with a scale as GTSAM has it: the scale is applied last."""
    return gtsam.Similarity3(gtsam.Rot3(first_T_second[:3, :3]), first_T_second[:3, 3] / scale, scale)


def _optimized(graph: gtsam.NonlinearFactorGraph, values: gtsam.Values) -> gtsam.Values:
    parameters = gtsam.LevenbergMarquardtParams()
    parameters.setMaxIterations(ITERATIONS)
    return gtsam.LevenbergMarquardtOptimizer(graph, values, parameters).optimize()


def _within(keyframes: np.ndarray, ties: Sequence[Tie]) -> list[Tie]:
    known = set(keyframes.tolist())
    return [tie for tie in ties if tie.first in known and tie.second in known]


def _noise(tie: Tie, sigmas: list[float]) -> gtsam.noiseModel.Base:
    """Return the noise of a tie; GTSAM has rotation before translation."""
    plain = gtsam.noiseModel.Diagonal.Sigmas(np.array(sigmas))
    if not tie.is_loop:
        return plain
    return gtsam.noiseModel.Robust.Create(gtsam.noiseModel.mEstimator.Cauchy.Create(CAUCHY_SIGMAS), plain)


def _held(keyframes: np.ndarray, ties: Sequence[Tie], fixed: int) -> list[int]:
    """Return the fixed keyframe, and one of every part of the graph that nothing ties to it."""
    place = {keyframe: index for index, keyframe in enumerate(keyframes.tolist())}
    ends = [(place[tie.first], place[tie.second]) for tie in _within(keyframes, ties)]
    tied = coo_array((np.ones(len(ends)), np.reshape(ends, (-1, 2)).astype(int).T), shape=(len(place), len(place)))
    part = connected_components(tied, directed=False)[1]
    apart = [index for index in np.unique(part, return_index=True)[1] if part[index] != part[place[fixed]]]
    return [fixed, *keyframes[apart].tolist()]
