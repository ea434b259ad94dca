"""The sparse form in PyTorch, to be trained; localizing has it in NumPy, see localization/attention/network.py."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_localization.localization.attention.candidates import SCALARS
from cl_localization.localization.attention.network import PLACE_CELLS
from cl_localization.localization.attention.options import AttentionNetworkConfig
from cl_localization.research.ace_g.blocks import CrossAttention, input_mlp, output_mlp


class SparseAnswer(NamedTuple):
    """What the network says of N features.

    Attributes:
        best: (N,) the candidate it points at.
        points: (N, 3) mean position of the candidates in its place, by weight; in the unit of the positions.
        probability: (N,) that the feature shows this place.
        log_sigma: (N,) of the point's standard deviation in cells.
        log_weights: (N, k + 1) of all candidates, and at the end that it is none of them.
    """

    best: Tensor
    points: Tensor
    probability: Tensor
    log_sigma: Tensor
    log_weights: Tensor


class SparseRegressor(nn.Module):
    """Features and candidates to places; see `candidates.py` for why this holds in scenes it never saw."""

    def __init__(self, dim: int, config: AttentionNetworkConfig) -> None:
        """Make a network for descriptors of length `dim`."""
        super().__init__()
        self.dim, self.config = dim, config
        width = config.width
        self.feature = input_mlp(dim, width)
        self.same = nn.Linear(dim, width, bias=False)
        self.token = nn.Sequential(nn.Linear(width + SCALARS, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.blocks = nn.ModuleList(CrossAttention(width, config.heads) for _ in range(config.blocks))
        self.pointer = nn.Sequential(nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1))
        self.rest = output_mlp(width, 2)

    def forward(self, descriptors: Tensor, keys: Tensor, scalars: Tensor, positions: Tensor,
                known: Tensor) -> SparseAnswer:
        """Return the answer for descriptors (N, D).

        Args:
            keys: (N, k, D) of the candidates.
            scalars: (N, k, SCALARS).
            positions: (N, k, 3) in cells.
            known: (N, k) which candidates there are; the first must be.
        """
        likeness = self.same(descriptors)[:, None] * self.same(keys)
        memory = self.token(torch.cat([likeness, scalars], dim=2))
        query = self.feature(descriptors)[:, None]
        for block in self.blocks:
            query = block(query, memory, known)
        pointed = self.pointer(torch.cat([memory, query.expand_as(memory)], dim=2))[..., 0].masked_fill(~known, -1e4)
        none, log_sigma = self.rest(query[:, 0]).unbind(1)
        log_weights = F.log_softmax(torch.cat([pointed, none[:, None]], dim=1).float(), dim=1)
        return _answer(log_weights, log_sigma.float(), positions, known)


def _answer(log_weights: Tensor, log_sigma: Tensor, positions: Tensor, known: Tensor) -> SparseAnswer:
    weights = log_weights[:, :-1].exp()
    best = weights.argmax(dim=1)
    row = torch.arange(len(best), device=best.device)
    apart = torch.linalg.vector_norm(positions - positions[row, best][:, None], dim=2)
    inside = weights * ((apart < PLACE_CELLS) & known)
    probability = inside.sum(dim=1)
    points = (inside[..., None] * positions).sum(dim=1) / probability.clamp(min=1e-9)[:, None]
    return SparseAnswer(best, points, probability, log_sigma, log_weights)


def sparse_loss(answer: SparseAnswer, positions: Tensor, known: Tensor, true_points: Tensor,
                tolerance: Tensor) -> Tensor:
    """Return the loss (N,): Laplace in 3D of point and uncertainty, and the cross-entropy of the right candidates.

    Args:
        positions, true_points: (N, k, 3) and (N, 3) in cells.
        tolerance: (N,) distance from the true point, in cells, within which a candidate is right; where none is, the
            answer is none.
    """
    error = torch.linalg.vector_norm(answer.points - true_points, dim=1)
    spread = torch.linalg.vector_norm(positions - true_points[:, None], dim=2)
    right = (spread < tolerance[:, None]) & known
    right = torch.cat([right, ~right.any(dim=1, keepdim=True)], dim=1)
    log_right = torch.logsumexp(answer.log_weights.masked_fill(~right, -1e4), dim=1)
    sigma = answer.log_sigma.clamp(-3, 8)
    return -log_right + 0.1 * (sigma + 2**0.5 * error / sigma.exp()).clamp(max=50)
