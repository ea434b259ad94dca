"""Matches of two sets of descriptors: pairs that are each other's most similar."""

from __future__ import annotations

import numpy as np


def mutual_matches(first: np.ndarray, second: np.ndarray, min_similarity: float,
                   possible: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows of unit descriptors (N, D) and (M, D) are each other's most similar, (P,) and (P,), in order of
    the first, and their cosine similarity (P,).

    Args:
        min_similarity: pairs must be more similar than this.
        possible: (N, M) which of them can match; all by default.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    similarity = first @ second.T
    if possible is not None:
        similarity[~possible] = -1.0
    # the largest of each column, and not its place: argmax over columns is 15 times as slow
    nearest, most = similarity.argmax(axis=1), similarity.max(axis=0)
    row = np.arange(len(first))
    best = similarity[row, nearest]
    row = row[(best == most[nearest]) & (best > min_similarity)]
    row = row[firsts(nearest[row])]
    return row, nearest[row], best[row]


def firsts(labels: np.ndarray) -> np.ndarray:
    """Return which entries (N,) are the first of their label."""
    first = np.zeros(len(labels), bool)
    first[np.unique(labels, return_index=True)[1]] = True
    return first
