"""Applies poses corrected by a SLAM, e.g. after a loop closure, to keyframes."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from cl_localization.geometry import se3

SAME_STAMP_NS = 1_000_000
"""Timestamps within this are equal: some programs store them as floating-point seconds."""

MAX_GAP_NS = 10_000_000_000
"""Longest time between two corrected keyframes for interpolating the corrections of those between them."""

UNMOVED_M, UNMOVED_DEG = 1e-6, 1e-4
"""Smaller corrections are ignored."""


def corrected_keyframes(stamps_ns: np.ndarray, world_T_cam: np.ndarray, corrected_stamps_ns: np.ndarray,
                        corrected_world_T_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices (M,) of keyframes to move, and their new poses (M, 4, 4).

    A keyframe with a corrected timestamp gets that pose, the last one if there are several. A keyframe between two such
    keyframes, at most `MAX_GAP_NS` apart, gets a correction interpolated in time.

    Args:
        stamps_ns, world_T_cam: (K,) and (K, 4, 4) keyframes with their original poses from the SLAM.
        corrected_stamps_ns, corrected_world_T_cam: (P,) and (P, 4, 4) corrected poses, in any order.
    """
    if len(stamps_ns) == 0 or len(corrected_stamps_ns) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 4, 4))
    order = np.argsort(stamps_ns, kind="stable")
    new = np.full((len(order), 4, 4), np.nan)
    match = _matching(stamps_ns[order], corrected_stamps_ns)
    known = np.flatnonzero(match >= 0)
    new[known] = corrected_world_T_cam[match[known]]
    for first, last in itertools.pairwise(known):
        if last - first > 1 and stamps_ns[order[last]] - stamps_ns[order[first]] <= MAX_GAP_NS:
            span = order[first:last + 1]
            new[first + 1:last] = _between(stamps_ns[span], world_T_cam[span], new[[first, last]])
    moved = np.flatnonzero(np.isfinite(new[:, 0, 0]))
    index, poses = order[moved], new[moved]
    apart_m = np.linalg.norm(poses[:, :3, 3] - world_T_cam[index, :3, 3], axis=1)
    turned_deg = se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ world_T_cam[index, :3, :3])
    has_moved = (apart_m > UNMOVED_M) | (turned_deg > UNMOVED_DEG)
    return index[has_moved], poses[has_moved]


def _matching(stamps_ns: np.ndarray, corrected_stamps_ns: np.ndarray) -> np.ndarray:
    """Return the index (K,) of each timestamp among the corrected ones, -1 for none."""
    order = np.argsort(corrected_stamps_ns, kind="stable")
    ordered = corrected_stamps_ns[order]
    last = np.searchsorted(ordered, stamps_ns + SAME_STAMP_NS, "right") - 1
    return np.where((last >= 0) & (ordered[last] >= stamps_ns - SAME_STAMP_NS), order[last], -1)


def _between(stamps_ns: np.ndarray, world_T_cam: np.ndarray, ends_world_T_cam: np.ndarray) -> np.ndarray:
    """Return new poses of the keyframes between the first and the last, given the new poses (2, 4, 4) of those two."""
    corrections = ends_world_T_cam @ se3.inverse(world_T_cam[[0, -1]])
    share = (stamps_ns[1:-1] - stamps_ns[0]) / max(int(stamps_ns[-1] - stamps_ns[0]), 1)
    turns = Slerp([0.0, 1.0], Rotation.from_matrix(corrections[:, :3, :3]))(share).as_matrix()
    inner = world_T_cam[1:-1]
    ends_m = np.einsum("eij,nj->eni", corrections[:, :3, :3], inner[:, :3, 3]) + corrections[:, None, :3, 3]
    poses = np.tile(np.eye(4), (len(inner), 1, 1))
    poses[:, :3, :3] = turns @ inner[:, :3, :3]
    poses[:, :3, 3] = (1 - share)[:, None] * ends_m[0] + share[:, None] * ends_m[1]
    return poses
