"""Attention of features over learned codes: where most of it goes, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.map.learned_codes import LearnedArrays

NEIGHBOURS = 16
"""Codes that an answer is the mean of: the one with most attention, and those nearest to it. The mean of all, which is
learned, lies between places where views are far from those that were mapped. Chosen on stretches held out of them."""


@dataclass(frozen=True, eq=False)
class Answers:
    """Where features lie.

    Attributes:
        points_m: (N, 3) weighted means of codes that lie together.
        sigmas_m: (N,) weighted standard deviations of their positions around them.
        attention: (N,) share of the attention that these codes have, 0 to 1.
        codes: (N,) number of the code with most.
    """

    points_m: np.ndarray
    sigmas_m: np.ndarray
    attention: np.ndarray
    codes: np.ndarray


class AttentionCodes:
    """Learned codes, ready to be attended to; positions are kept around their mean, for the sake of float32."""

    def __init__(self, codes: LearnedArrays) -> None:
        """Take learned codes, at least one."""
        self._origin_m = codes.positions_m.mean(axis=0, dtype=np.float64)
        self._keys = codes.keys
        self._positions = (codes.positions_m - self._origin_m).astype(np.float32)
        nearest = np.arange(1, min(NEIGHBOURS, len(self._keys)) + 1)
        self._neighbours = cKDTree(self._positions).query(self._positions, nearest)[1]

    def answer(self, descriptors: np.ndarray) -> Answers:
        """Return where features lie, given descriptors (N, D)."""
        logits = descriptors.astype(np.float32) @ self._keys.T
        logits -= logits.max(axis=1, keepdims=True)
        weights = np.exp(logits, out=logits)
        best = weights.argmax(axis=1)
        together = self._neighbours[best]
        of_these = np.take_along_axis(weights, together, axis=1)
        attention = of_these.sum(axis=1)
        shares, positions = (of_these / attention[:, None])[:, None], self._positions[together]
        points = (shares @ positions)[:, 0]
        variance = (shares @ ((positions - points[:, None]) ** 2).sum(axis=2)[:, :, None])[:, 0, 0]
        return Answers(points + self._origin_m, np.sqrt(variance), attention / weights.sum(axis=1), best)
