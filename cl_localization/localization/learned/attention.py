"""Attention of features over learned codes: a weighted mean of positions, and how far the positions scatter."""

from __future__ import annotations

import numpy as np

from cl_localization.map.learned_codes import LearnedArrays


class AttentionCodes:
    """Learned codes, ready to be attended to; positions are kept around their mean, for the sake of float32."""

    def __init__(self, codes: LearnedArrays) -> None:
        """Take learned codes, at least one."""
        self._origin_m = codes.positions_m.mean(axis=0, dtype=np.float64)
        self._keys = codes.keys
        self._positions = (codes.positions_m - self._origin_m).astype(np.float32)

    def answer(self, descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return where features lie, given descriptors (N, D).

        Returns:
            (N, 3) weighted means [m], (N,) weighted standard deviations of the positions around them [m], and the code
            (N,) with most weight.
        """
        logits = descriptors.astype(np.float32) @ self._keys.T
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        points = weights @ self._positions
        variance = weights @ (self._positions**2).sum(axis=1) - (points**2).sum(axis=1)
        return points + self._origin_m, np.sqrt(np.maximum(variance, 0.0)), weights.argmax(axis=1)
