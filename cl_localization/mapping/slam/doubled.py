"""Codes of a place that was mapped twice, once before and once after a loop: each pair becomes one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.map.map_code import MapCode, NewCodes

MERGE_DISTANCE_M, MERGE_SIMILARITY = 0.03, 0.80
NEIGHBOURS = 4


def merge_doubled(map_code: MapCode, old_keyframes: np.ndarray, new_keyframes: np.ndarray) -> int:
    """Merge codes anchored to new keyframes (N,) into those anchored to old ones (O,) that lie and look alike; return
    how many.

    Both must belong to one scene. The old code stays, with both sightings; the new one goes.
    """
    codes = map_code.codes
    old = np.flatnonzero(codes.live & np.isin(codes["anchors"], old_keyframes))
    new = np.flatnonzero(codes.live & np.isin(codes["anchors"], new_keyframes))
    if len(old) == 0 or len(new) == 0:
        return 0
    tree = cKDTree(codes["positions_m"][old])
    apart_m, found = tree.query(codes["positions_m"][new], k=[*range(1, min(NEIGHBOURS, len(old)) + 1)],
                                distance_upper_bound=MERGE_DISTANCE_M)
    row, slot = np.nonzero(np.isfinite(apart_m))
    other = found[row, slot]
    similarity = np.einsum("nd,nd->n", map_code.descriptors(new[row]), map_code.descriptors(old[other]))
    order = np.argsort(-similarity, kind="stable")
    order = order[similarity[order] > MERGE_SIMILARITY]
    row, other = row[order], other[order]
    first = np.zeros(len(row), bool)
    first[np.intersect1d(np.unique(row, return_index=True)[1], np.unique(other, return_index=True)[1])] = True
    gone, kept = new[row[first]], old[other[first]]
    for keyframe in np.unique(codes["anchors"][gone]).tolist():
        of = codes["anchors"][gone] == keyframe
        seen = NewCodes(map_code.descriptors(gone[of]), codes["positions_m"][gone[of]], codes["sigmas_m"][gone[of]])
        map_code.merge(kept[of], seen, keyframe)
    map_code.remove(gone)
    return len(gone)
