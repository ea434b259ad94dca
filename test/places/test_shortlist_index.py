from __future__ import annotations

import numpy as np
import pytest

from cl_localization.places import place_index as shortlist_index
from cl_localization.places.place_index import ShortlistIndex


def vectors(count: int, seed: int = 0, width: int = 16) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(params=[False, True], ids=["exact", "clustered"])
def index(request, monkeypatch) -> ShortlistIndex:
    """300 vectors under the numbers 1000, 1002, ..."""
    if request.param:
        monkeypatch.setattr(shortlist_index, "MIN_CLUSTERED", 100)
        monkeypatch.setattr(shortlist_index, "PROBES", 1000)
    made = ShortlistIndex(16)
    for begin in (0, 60, 120, 180, 240):
        made.add(vectors(300)[begin:begin + 60], 1000 + 2 * np.arange(begin, begin + 60))
    return made


def test_the_nearest_are_found_best_first(index: ShortlistIndex) -> None:
    similarity, numbers = index.search(vectors(1, 9)[0], 5)
    exact = vectors(300) @ vectors(1, 9)[0]
    assert ((numbers - 1000) // 2).tolist() == np.argsort(-exact)[:5].tolist()
    assert np.allclose(similarity, np.sort(exact)[::-1][:5], atol=2e-3)


def test_what_is_removed_is_not_found(index: ShortlistIndex) -> None:
    index.remove(1004)
    index.remove(999)
    assert len(index) == 299 and 1004 not in index.search(vectors(300)[2], 300)[1]


def test_the_last_ones_that_are_left_are_found(index: ShortlistIndex) -> None:
    for row in range(297):
        index.remove(1000 + 2 * row)
    assert set(index.search(vectors(1, 9)[0], 5)[1]) == {1594, 1596, 1598}


def test_no_more_are_found_than_there_are(index: ShortlistIndex) -> None:
    assert len(index.search(vectors(300)[0], 1000)[1]) == 300


def test_everything_comes_back_under_its_number(index: ShortlistIndex) -> None:
    descriptors, numbers = index.everything()
    assert np.allclose(descriptors[np.argsort(numbers)], vectors(300), atol=1e-3)
    assert sorted(numbers) == [1000 + 2 * row for row in range(300)]


def test_an_empty_index_finds_nothing() -> None:
    index = ShortlistIndex(16)
    index.add(vectors(0), np.zeros(0, int))
    assert len(index.search(vectors(1)[0], 5)[1]) == 0 and index.everything()[0].shape == (0, 16)
