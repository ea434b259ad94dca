"""Poses that a SLAM corrected after the fact, at a loop closure: which keyframes they concern, and where those belong
now."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from cl_localization.geometry import se3

SAME_STAMP_NS = 1_000_000
"""Stamps this close are one image's: some programs keep them as floating-point seconds."""

MAX_GAP_NS = 10_000_000_000
"""Keyframes between two corrected ones follow them unless those lie further apart in time than this."""

UNMOVED_M, UNMOVED_DEG = 1e-6, 1e-4
"""Smaller corrections are none."""


def corrected_keyframes(stamps_ns: np.ndarray, world_T_cam: np.ndarray, corrected_stamps_ns: np.ndarray,
                        corrected_world_T_cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which keyframes are to be moved, as indices (M,), and their new poses (M, 4, 4).

    A keyframe whose stamp is among the corrected ones gets that pose; of two poses for one stamp the later counts. One
    between two such keyframes, not more than `MAX_GAP_NS` apart, gets the correction between theirs, in proportion to
    time.

    Args:
        stamps_ns, world_T_cam: (K,) and (K, 4, 4) of the keyframes, as the SLAM gave them before.
        corrected_stamps_ns, corrected_world_T_cam: (P,) and (P, 4, 4) as it gives them now, in any order.
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
    really = (apart_m > UNMOVED_M) | (turned_deg > UNMOVED_DEG)
    return index[really], poses[really]


def _matching(stamps_ns: np.ndarray, corrected_stamps_ns: np.ndarray) -> np.ndarray:
    """Return the place (K,) of each stamp among the corrected ones, -1 for none."""
    order = np.argsort(corrected_stamps_ns, kind="stable")
    ordered = corrected_stamps_ns[order]
    last = np.searchsorted(ordered, stamps_ns + SAME_STAMP_NS, "right") - 1
    return np.where((last >= 0) & (ordered[last] >= stamps_ns - SAME_STAMP_NS), order[last], -1)


def _between(stamps_ns: np.ndarray, world_T_cam: np.ndarray, ends_world_T_cam: np.ndarray) -> np.ndarray:
    """Return new poses for all but the first and last of some keyframes, given the new poses (2, 4, 4) of those two."""
    corrections = ends_world_T_cam @ se3.inverse(world_T_cam[[0, -1]])
    share = (stamps_ns[1:-1] - stamps_ns[0]) / max(int(stamps_ns[-1] - stamps_ns[0]), 1)
    turns = Slerp([0.0, 1.0], Rotation.from_matrix(corrections[:, :3, :3]))(share).as_matrix()
    inner = world_T_cam[1:-1]
    ends_m = np.einsum("eij,nj->eni", corrections[:, :3, :3], inner[:, :3, 3]) + corrections[:, None, :3, 3]
    poses = np.tile(np.eye(4), (len(inner), 1, 1))
    poses[:, :3, :3] = turns @ inner[:, :3, :3]
    poses[:, :3, 3] = (1 - share)[:, None] * ends_m[0] + share[:, None] * ends_m[1]
    return poses
