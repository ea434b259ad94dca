"""Distances of images relative to those around them: SeqSLAM's contrast enhancement, along both traverses.

Places differ in how much they resemble any other: without it, an image of an empty field is near to everything.
"""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 40
"""Images before and after one that its distances are compared with."""

LEAST_SPREAD = 1e-6
"""Distances that are all equal have no contrast."""


def normalized(distances: Tensor, reach: int = REACH) -> Tensor:
    """Return distances (M, N) of images less their local mean, divided by their local deviation.

    First along the database: a query's distances to the `reach` images before and after each; then along the queries
    in the same way. At the ends there are fewer.
    """
    return _relative(_relative(distances, reach).T, reach).T


def _relative(values: Tensor, reach: int) -> Tensor:
    """Return values (M, N) relative to those of the same column in the rows around."""
    mean = _local_mean(values, reach)
    variance = (_local_mean(values * values, reach) - mean * mean).clamp_min(LEAST_SPREAD ** 2)
    return ((values - mean) / variance.sqrt()).to(values.dtype)


def _local_mean(values: Tensor, reach: int) -> Tensor:
    """Return the mean (M, N), in double precision, of each cell and those up to `reach` rows away."""
    count = values.shape[0]
    sums = torch.cat([values.new_zeros(1, values.shape[1], dtype=torch.float64), values.double().cumsum(0)])
    row = torch.arange(count, device=values.device)
    first, end = (row - reach).clamp_min(0), (row + reach + 1).clamp_max(count)
    return (sums[end] - sums[first]) / (end - first)[:, None]
