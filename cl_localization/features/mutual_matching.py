"""Matches of two sets of descriptors: pairs that are each other's most similar."""

from __future__ import annotations

import numpy as np

PAIRS_AT_ONCE = 1024
"""The descriptors of so many pairs stay in the processor's cache."""

SECTORS = 10
"""More of them need fewer products of descriptors, but more calls."""


def mutual_matches(first: np.ndarray, second: np.ndarray,
                   min_similarity: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which rows of unit descriptors (N, D) and (M, D) are each other's most similar, (P,) and (P,), in order of
    the first, and their cosine similarity (P,).

    Args:
        min_similarity: pairs must be more similar than this, which is positive.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    similarity = first @ second.T
    # the largest of each column, and not its place: argmax over columns is 15 times as slow
    nearest, most = similarity.argmax(axis=1), similarity.max(axis=0)
    best = similarity[np.arange(len(first)), nearest]
    row = _mutual(best, nearest, most, min_similarity)
    return row, nearest[row], best[row]


def mutual_matches_at_angles(first: np.ndarray, second: np.ndarray, min_similarity: float, at_first_rad: np.ndarray,
                             at_second_rad: np.ndarray,
                             reach_rad: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same where rows have angles, (N,) and (M,), and those nearer than the reach (M,) of the second can
    match; some that are farther apart can match as well.

    The first are taken in sectors, each with those of the second that one of them can match.
    """
    if len(first) == 0 or len(second) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    order = np.argsort(at_first_rad)
    sorted_first, at_first_rad = first[order], at_first_rad[order]
    best, nearest = np.full(len(first), -1, np.float32), np.zeros(len(first), np.int64)
    most = np.full(len(second), -1, np.float32)
    edges = np.linspace(0, len(first), min(SECTORS, len(first)) + 1).astype(np.int64)
    low_rad, high_rad = at_first_rad[edges[:-1]], at_first_rad[edges[1:] - 1]
    apart_rad = np.abs(at_second_rad - (0.5 * (low_rad + high_rad))[:, None])
    apart_rad = np.minimum(apart_rad, 2 * np.pi - apart_rad)
    possible = apart_rad <= (0.5 * (high_rad - low_rad))[:, None] + reach_rad
    for start, end, in_reach in zip(edges[:-1].tolist(), edges[1:].tolist(), possible):
        others = np.flatnonzero(in_reach)
        if len(others) == 0:
            continue
        similarity = sorted_first[start:end] @ second[others].T
        place = similarity.argmax(axis=1)
        nearest[order[start:end]], best[order[start:end]] = others[place], similarity[np.arange(end - start), place]
        most[others] = np.maximum(most[others], similarity.max(axis=0))
    row = _mutual(best, nearest, most, min_similarity)
    return row, nearest[row], best[row]


def _mutual(best: np.ndarray, nearest: np.ndarray, most: np.ndarray, min_similarity: float) -> np.ndarray:
    """Return which rows of the first are also the most similar of their nearest.

    Args:
        best, nearest: (N,) similarity and number of the nearest of the second.
        most: (M,) similarity of the nearest of the first.
    """
    row = np.flatnonzero((best == most[nearest]) & (best > min_similarity))
    return row[firsts(nearest[row])]


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
