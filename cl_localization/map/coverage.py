"""Which codes to give up when the map is full: those whose removal loses the least coverage of the known space."""

from __future__ import annotations

import numpy as np


def least_covering(regions: np.ndarray, utility: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of `count` items whose removal loses least coverage.

    Coverage score: the number of regions seen, as in CL_HSCNet's buffer; beyond the first item of a region each further
    one adds less. So the fullest regions give first, down to a common level, and within a region the items of least
    utility.

    Args:
        regions: (N,) label of the region each item lies in.
        utility: (N,) worth of an item among those of its region.
        count: how many to remove, at most N.
    """
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    _, labels, populations = np.unique(regions, return_inverse=True, return_counts=True)
    order = np.lexsort((-utility, labels))
    starts = np.r_[0, np.cumsum(populations)[:-1]]
    rank_in_region = np.empty(len(regions), dtype=np.int64)
    rank_in_region[order] = np.arange(len(regions)) - np.repeat(starts, populations)
    most_expendable = np.lexsort((utility, -rank_in_region))
    return most_expendable[:count]
