"""Attention of features over learned codes: a weighted mean of positions, and how far the positions scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.map.learned_codes import LearnedArrays


@dataclass(frozen=True, eq=False)
class Answer:
    """Where features lie.

    Attributes:
        points: (N, 3) weighted means.
        spread: (N,) weighted standard deviation of the positions around them.
        best: (N,) the code with most weight.
    """

    points: Tensor
    spread: Tensor
    best: Tensor


def attended(descriptors: Tensor, keys: Tensor, positions: Tensor) -> Answer:
    """Return the answers for descriptors (N, D) from codes with keys (M, D) and positions (M, 3)."""
    weights = torch.softmax(descriptors @ keys.T, dim=1)
    points = weights @ positions
    variance = weights @ positions.square().sum(1) - points.square().sum(1)
    return Answer(points, variance.clamp(min=0.0).sqrt(), weights.argmax(1))


class AttentionCodes:
    """Learned codes, ready to be attended to; positions are kept around their mean, for the sake of float32."""

    def __init__(self, codes: LearnedArrays) -> None:
        """Take learned codes, at least one."""
        self._origin_m = codes.positions_m.mean(axis=0, dtype=np.float64)
        self._keys = torch.from_numpy(codes.keys)
        self._positions = torch.from_numpy((codes.positions_m - self._origin_m).astype(np.float32))

    @torch.inference_mode()
    def answer(self, descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return points (N, 3) and spread (N,) in metres, and the best code (N,), of descriptors (N, D)."""
        found = attended(torch.from_numpy(np.ascontiguousarray(descriptors, np.float32)), self._keys, self._positions)
        return found.points.numpy() + self._origin_m, found.spread.numpy(), found.best.numpy()
