"""What is given up first: the fullest regions down to a common level, the least useful items there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.map.coverage import least_covering

items = st.integers(1, 60).flatmap(lambda count: st.tuples(
    st.lists(st.integers(-3, 8), min_size=count, max_size=count).map(np.array),
    st.lists(st.floats(0, 10), min_size=count, max_size=count).map(np.array),
    st.integers(0, count)))


def kept(regions: np.ndarray, removed: np.ndarray) -> np.ndarray:
    return np.delete(regions, removed)


@given(items)
def test_as_many_as_asked_for_go_and_each_once(case):
    regions, utility, count = case
    removed = least_covering(regions, utility, count)
    assert len(removed) == len(set(removed.tolist())) == count
    assert count == 0 or (removed.min() >= 0 and removed.max() < len(regions))


@given(items, st.integers(0, 2**32 - 1))
def test_no_random_choice_keeps_more_regions(case, seed):
    regions, utility, count = case
    at_random = np.random.default_rng(seed).permutation(len(regions))[:count]
    chosen = least_covering(regions, utility, count)
    assert len(np.unique(kept(regions, chosen))) >= len(np.unique(kept(regions, at_random)))


@given(items)
def test_a_region_is_lost_only_when_all_others_hold_one_item(case):
    regions, utility, count = case
    left = kept(regions, least_covering(regions, utility, count))
    if len(np.unique(left)) < len(np.unique(regions)):
        assert np.unique(left, return_counts=True)[1].max(initial=1) == 1


@given(items)
def test_regions_that_gave_are_level(case):
    regions, utility, count = case
    before = dict(zip(*np.unique(regions, return_counts=True)))
    after = dict(zip(*np.unique(kept(regions, least_covering(regions, utility, count)), return_counts=True)))
    gave = [after.get(region, 0) for region in before if after.get(region, 0) < before[region]]
    if gave:
        assert max(gave) - min(gave) <= 1
        assert all(after.get(region, 0) <= min(gave) + 1 for region in before)


@given(items)
def test_within_a_region_the_least_useful_go(case):
    regions, utility, count = case
    removed = np.isin(np.arange(len(regions)), least_covering(regions, utility, count))
    for region in np.unique(regions):
        inside = regions == region
        gone, stays = utility[inside & removed], utility[inside & ~removed]
        if len(gone) and len(stays):
            assert gone.max() <= stays.min()


@pytest.mark.parametrize("count", [0, -3])
def test_nothing_goes_when_nothing_is_asked_for(count):
    assert least_covering(np.array([1, 1]), np.array([1.0, 2.0]), count).tolist() == []


def test_nothing_can_go_where_nothing_is():
    assert least_covering(np.zeros(0, np.int64), np.zeros(0), 0).tolist() == []
