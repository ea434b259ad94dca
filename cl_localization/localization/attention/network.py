"""The sparse form: a feature attends to the codes that the search proposed, and points at one place among them.

In NumPy, as localizing is to do without PyTorch. It is trained as `SparseRegressor`, see research/ace_g.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cl_localization.localization.attention.candidates import SCALARS
from cl_localization.localization.attention.layers import taken_layer, taken_sequence
from cl_localization.localization.attention.options import AttentionNetworkConfig

PLACE_CELLS = 5.0
"""Codes this near to the one pointed at are the same place: their mean is the answer."""

UNKNOWN = np.float32(-1e4)


class Answer(NamedTuple):
    """What the network says of N features.

    Attributes:
        best: (N,) the candidate it points at.
        points: (N, 3) mean position of the candidates in its place, by weight; in the unit of the positions.
        probability: (N,) that the feature shows this place.
        log_sigma: (N,) of the point's standard deviation in cells.
    """

    best: np.ndarray
    points: np.ndarray
    probability: np.ndarray
    log_sigma: np.ndarray


class SparseNetwork:
    """Features and candidates to places; see `candidates.py` for why this holds in scenes it never saw."""

    def __init__(self, dim: int, config: AttentionNetworkConfig, weights: dict[str, np.ndarray]) -> None:
        """Take the weights of a `SparseRegressor` for descriptors of length `dim`, by their names there.

        Raises:
            KeyError, ValueError: they are not those of such a network.
        """
        self.dim, self.config, weights = dim, config, dict(weights)
        self._feature, self._token = taken_sequence(weights, "feature", 4), taken_sequence(weights, "token", 3)
        self._same = taken_layer(weights, "same")
        self._blocks = [_CrossAttention(weights, f"blocks.{number}", config.heads) for number in range(config.blocks)]
        self._pointer, self._rest = taken_sequence(weights, "pointer", 3), taken_sequence(weights, "rest", 4)
        if weights:
            raise ValueError(f"parts that no such network has: {', '.join(sorted(weights))}")
        nothing = np.zeros((1, config.candidates, dim), np.float32)
        self.answer(nothing[:, 0], nothing, nothing[..., :1].repeat(SCALARS, axis=2), nothing[..., :3],
                    np.ones(nothing.shape[:2], bool))

    def answer(self, descriptors: np.ndarray, keys: np.ndarray, scalars: np.ndarray, positions: np.ndarray,
               known: np.ndarray) -> Answer:
        """Return the answer for descriptors (N, D).

        Args:
            keys: (N, k, D) of the candidates.
            scalars: (N, k, SCALARS).
            positions: (N, k, 3) in cells.
            known: (N, k) which candidates there are; the first must be.
        """
        likeness = self._same(descriptors)[:, None] * self._same(keys)
        memory, query = self._token(np.concatenate([likeness, scalars], axis=2)), self._feature(descriptors)
        for block in self._blocks:
            query = block(query, memory, known)
        beside = np.broadcast_to(query[:, None], memory.shape)
        pointed = np.where(known, self._pointer(np.concatenate([memory, beside], axis=2))[..., 0], UNKNOWN)
        none, log_sigma = self._rest(query).T
        weights = _softmax(np.concatenate([pointed, none[:, None]], axis=1))[:, :-1]
        best = weights.argmax(axis=1)
        apart = np.linalg.norm(positions - positions[np.arange(len(best)), best][:, None], axis=2)
        inside = weights * ((apart < PLACE_CELLS) & known)
        probability = inside.sum(axis=1)
        points = np.einsum("nk,nkd->nd", inside, positions) / np.maximum(probability, np.float32(1e-9))[:, None]
        return Answer(best, points, probability, log_sigma)


class _CrossAttention:
    """Each feature looks at its candidates, then an MLP; both add to the feature."""

    def __init__(self, weights: dict[str, np.ndarray], name: str, heads: int) -> None:
        self._heads = heads
        self._query_norm, self._key_norm, self._value_norm, self._query, self._key, self._value, self._out = (
            taken_layer(weights, f"{name}.{part}")
            for part in ("query_norm", "key_norm", "value_norm", "query", "key", "value", "out"))
        self._mlp = taken_sequence(weights, f"{name}.mlp", 4)

    def __call__(self, queries: np.ndarray, memory: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return queries (N, D) after they looked at those of their tokens (N, k, D) that are known."""
        query, key, value = (self._split(layer(norm(tokens))) for layer, norm, tokens in (
            (self._query, self._query_norm, queries), (self._key, self._key_norm, memory),
            (self._value, self._value_norm, memory)))
        scores = np.einsum("nhd,nkhd->nhk", query, key) / np.float32(np.sqrt(query.shape[-1]))
        weights = _softmax(np.where(known[:, None], scores, -np.inf))
        queries = queries + self._out(np.einsum("nhk,nkhd->nhd", weights, value).reshape(queries.shape))
        return queries + self._mlp(queries)

    def _split(self, tokens: np.ndarray) -> np.ndarray:
        """Return tokens (..., D) as (..., heads, D / heads)."""
        return tokens.reshape(*tokens.shape[:-1], self._heads, -1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)
