"""Mutual matches: as a search of every pair finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.features.mutual_matching import firsts, mutual_matches
from core_makers import unit_vectors


def searched(first: np.ndarray, second: np.ndarray, least: float, possible: np.ndarray) -> list[tuple[int, int]]:
    """Return the mutual matches by looking at every pair."""
    similarity = np.where(possible, first @ second.T, -1.0)
    return [(row, column) for row in range(len(first)) for column in [int(similarity[row].argmax())]
            if similarity[:, column].argmax() == row and similarity[row, column] > least]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**31 - 1), st.booleans())
def test_pairs_are_those_that_a_search_of_all_finds(count: int, other: int, seed: int, masked: bool) -> None:
    random = np.random.default_rng(seed)
    first, second = unit_vectors(random, count, 8), unit_vectors(random, other, 8)
    if count and other:
        second[0] = first[0]
        second[-1] = first[0]  # a tie: two rows are the most similar, and as similar
    possible = random.random((count, other)) < 0.5 if masked else np.ones((count, other), bool)
    rows, columns, similarity = mutual_matches(first, second, 0.3, possible if masked else None)
    assert list(zip(rows.tolist(), columns.tolist())) == (searched(first, second, 0.3, possible) if other else [])
    assert np.allclose(similarity, np.einsum("pd,pd->p", first[rows], second[columns]), atol=1e-6)


def test_the_first_entry_of_each_label_counts() -> None:
    assert firsts(np.array([3, 1, 3, 2, 1])).tolist() == [True, True, False, True, False]
