"""Matches of two sets of descriptors: pairs that are each other's most similar."""

from __future__ import annotations

import numpy as np

PAIRS_AT_ONCE = 1024
"""The descriptors of so many pairs stay in the processor's cache."""


def mutual_matches(first: np.ndarray, second: np.ndarray, min_similarity: float,
                   impossible: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows of unit descriptors (N, D) and (M, D) are each other's most similar, (P,) and (P,), in order of
    the first, and their cosine similarity (P,).

    Args:
        min_similarity: pairs must be more similar than this, which is positive.
        impossible: (N, M) which of them cannot match; none by default.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    similarity = first @ second.T
    if impossible is not None:
        similarity -= impossible  # to 0 at most, in half the time of setting them
    # the largest of each column, and not its place: argmax over columns is 15 times as slow
    nearest, most = similarity.argmax(axis=1), similarity.max(axis=0)
    row = np.arange(len(first))
    best = similarity[row, nearest]
    row = row[(best == most[nearest]) & (best > min_similarity)]
    row = row[firsts(nearest[row])]
    return row, nearest[row], best[row]


def best_pairs(first: np.ndarray, second: np.ndarray, of_first: np.ndarray, of_second: np.ndarray,
               min_similarity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same where only pairs (P,) and (P,) of rows can match, fewer than all; the most similar pairs first.

    One after the other, each pair takes both its rows from those that are less similar.
    """
    similarity = np.empty(len(of_first), np.float32)
    for start in range(0, len(similarity), PAIRS_AT_ONCE):
        some = slice(start, start + PAIRS_AT_ONCE)
        np.einsum("nd,nd->n", first[of_first[some]], second[of_second[some]], out=similarity[some])
    alike = np.flatnonzero(similarity > min_similarity)
    alike = alike[np.argsort(-similarity[alike])]
    alike = alike[firsts(of_first[alike]) & firsts(of_second[alike])]
    return of_first[alike], of_second[alike], similarity[alike]


def firsts(labels: np.ndarray) -> np.ndarray:
    """Return which entries (N,) are the first of their label; labels are small numbers from 0 on."""
    number = np.arange(len(labels))
    first = np.empty(labels.max(initial=-1) + 1, np.int64)
    first[labels[::-1]] = number[::-1]  # of several the last stays
    return first[labels] == number
