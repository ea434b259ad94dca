"""Which codes to evict from a full map: those whose removal loses the least coverage of the mapped space."""

from __future__ import annotations

import numpy as np


def least_covering(regions: np.ndarray, utility: np.ndarray, count: int) -> np.ndarray:
    """Return the rows of `count` items whose removal loses the least coverage.

    The coverage score is the number of covered regions, as in CL_HSCNet's buffer; each further item of a region adds
    less. So items are taken from the fullest regions, down to a common level, and there those of least utility.

    Args:
        regions: (N,) region label of each item.
        utility: (N,) utility of each item, compared within its region.
        count: number of items to remove, at most N.
    """
    order = np.lexsort((-utility, regions))
    ordered = regions[order]
    rank_in_region = np.empty(len(regions), dtype=np.int64)
    rank_in_region[order] = np.arange(len(regions)) - np.searchsorted(ordered, ordered)
    most_expendable = np.lexsort((utility, -rank_in_region))
    return most_expendable[:max(count, 0)]
