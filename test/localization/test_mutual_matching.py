"""Mutual matches: as a search of every pair finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.localization.matching import (
    PAIRS_AT_ONCE,
    best_pairs,
    firsts,
    mutual_matches,
    mutual_matches_at_angles,
)
from core_makers import unit_vectors


def searched(first: np.ndarray, second: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Return the mutual matches by looking at every pair."""
    similarity = first @ second.T
    return [(row, column) for row in range(len(first)) for column in [int(similarity[row].argmax())]
            if similarity[:, column].argmax() == row and similarity[row, column] > least]


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**31 - 1))
def test_pairs_are_those_that_a_search_of_all_finds(count: int, other: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = unit_vectors(random, count, 8), unit_vectors(random, other, 8)
    if count and other:
        second[0] = first[0]
        second[-1] = first[0]  # a tie: two rows are the most similar, and as similar
    rows, columns, similarity = mutual_matches(first, second, 0.3)
    assert list(zip(rows.tolist(), columns.tolist())) == (searched(first, second, 0.3) if other else [])
    assert np.allclose(similarity, np.einsum("pd,pd->p", first[rows], second[columns]), atol=1e-6)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**31 - 1))
def test_at_angles_that_all_are_within_reach_pairs_are_the_same(count: int, other: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    first, second = unit_vectors(random, count, 8), unit_vectors(random, other, 8)
    angles_rad = random.uniform(-np.pi, np.pi, count), random.uniform(-np.pi, np.pi, other)
    found = mutual_matches_at_angles(first, second, 0.3, *angles_rad, np.full(other, np.pi))
    for at_angles, everywhere in zip(found, mutual_matches(first, second, 0.3)):
        np.testing.assert_allclose(at_angles, everywhere, atol=1e-6)


def test_what_looks_the_same_at_another_angle_is_no_match_but_across_the_half_turn_is() -> None:
    random = np.random.default_rng(0)
    first = unit_vectors(random, 200, 8)
    at_first_rad = random.uniform(-np.pi, np.pi, 200)
    second = np.concatenate([first + 0.1 * unit_vectors(random, 200, 8), first])
    turned_rad = np.concatenate([at_first_rad + random.uniform(-0.05, 0.05, 200), at_first_rad + 2.0])
    at_second_rad = (turned_rad + np.pi) % (2 * np.pi) - np.pi
    rows, columns, _ = mutual_matches_at_angles(first, second, 0.3, at_first_rad, at_second_rad, np.full(400, 0.06))
    assert (columns < 200).all() and len(rows) > 150


def test_the_first_entry_of_each_label_counts() -> None:
    assert firsts(np.array([3, 1, 3, 2, 1])).tolist() == [True, True, False, True, False]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31 - 1), st.sampled_from([0, 7, 5 * PAIRS_AT_ONCE]))
def test_of_some_pairs_the_best_that_is_left_is_taken_until_none_is(count: int, other: int, seed: int,
                                                                    pairs: int) -> None:
    random = np.random.default_rng(seed)
    first, second = unit_vectors(random, count, 8), unit_vectors(random, other, 8)
    of_first, of_second = random.integers(count, size=pairs), random.integers(other, size=pairs)
    similarity = np.einsum("pd,pd->p", first[of_first], second[of_second])
    best_of: dict[tuple[str, int], int] = {}
    taken = []
    for pair in np.argsort(-similarity, kind="stable").tolist():
        if similarity[pair] > 0.3:
            sides = ("first", int(of_first[pair])), ("second", int(of_second[pair]))
            if not any(side in best_of for side in sides):
                taken.append((sides[0][1], sides[1][1]))
            best_of.update(dict.fromkeys(sides, pair))
    rows, columns, found = best_pairs(first, second, of_first, of_second, 0.3)
    assert sorted(zip(rows.tolist(), columns.tolist())) == sorted(taken)
    assert np.allclose(found, np.einsum("pd,pd->p", first[rows], second[columns]), atol=1e-6)
    assert (np.diff(found) <= 0).all()
