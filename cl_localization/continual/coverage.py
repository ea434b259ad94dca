"""The most redundant item of a replay buffer: the one whose removal uncovers the fewest regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def most_redundant(regions: Sequence[np.ndarray]) -> int:
    """Return the index of the item whose removal uncovers the fewest regions; of several, that with the most shared
    ones.

    Args:
        regions: for each item the distinct numbers of the regions it covers; at least one item.
    """
    sizes = [len(seen) for seen in regions]
    _, labels, populations = np.unique(np.concatenate(regions), return_inverse=True, return_counts=True)
    owners = np.repeat(np.arange(len(regions)), sizes)
    only_here = np.bincount(owners, populations[labels] == 1, len(regions))
    share = np.bincount(owners, 1.0 / populations[labels], len(regions))
    return int(np.lexsort((share, only_here))[0])
