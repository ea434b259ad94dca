"""Approximate search in a map that changes: near to exact, never behind."""

from __future__ import annotations

import time
from threading import Event

import faiss
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cl_localization.config import MapCodeConfig
from cl_localization.map import clusters, code_index
from cl_localization.map.code_index import MIN_CLUSTERED, CodeIndex
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import noisy, unit_vectors

DIM = 64


def new_map() -> MapCode:
    return MapCode(MapCodeConfig(cell_size_m=0.001), "scene", DIM)


def grow(map_code: MapCode, count: int, seed: int = 0) -> np.ndarray:
    """Insert random codes that find room, and return their rows."""
    random = np.random.default_rng(seed)
    frame = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("room"))
    new = NewCodes(unit_vectors(random, count, map_code.dim), random.uniform(-50, 50, (count, 3)).astype(np.float32),
                   np.full(count, 0.01, np.float32))
    return map_code.insert(new, frame)


def wait_for(index: CodeIndex, queries: np.ndarray) -> None:
    """Search until the clusters are made."""
    deadline_s = time.monotonic() + 60
    index.search(queries, 1)
    while not index.is_ready and time.monotonic() < deadline_s:
        Event().wait(0.01)
        index.search(queries, 1)
    assert index.is_ready


def exact(map_code: MapCode, descriptors: np.ndarray, count: int) -> np.ndarray:
    rows = map_code.codes.rows()
    similarity = descriptors @ map_code.descriptors(rows).T
    return rows[np.argsort(-similarity, axis=1, kind="stable")[:, :count]]


def test_an_empty_map_has_nothing_near():
    similarity, rows = CodeIndex(new_map()).search(unit_vectors(np.random.default_rng(0), 3, DIM), 4)
    assert (similarity == -1).all()
    assert (rows == -1).all()
    assert rows.shape == (3, 4)


def test_no_descriptors_find_nothing():
    map_code = new_map()
    grow(map_code, 10)
    similarity, rows = CodeIndex(map_code).search(np.zeros((0, DIM), np.float32), 4)
    assert (similarity.shape, rows.shape) == ((0, 4), (0, 4))


def test_where_there_are_fewer_codes_than_asked_for_the_rest_is_empty():
    map_code = new_map()
    grow(map_code, 2)
    similarity, rows = CodeIndex(map_code).search(unit_vectors(np.random.default_rng(0), 5, DIM), 4)
    assert (rows[:, :2] >= 0).all()
    assert (rows[:, 2:] == -1).all()
    assert (similarity[:, 2:] == -1).all()


def test_a_small_map_is_searched_exactly():
    map_code = new_map()
    grow(map_code, 500)
    queries = unit_vectors(np.random.default_rng(1), 100, DIM)
    similarity, rows = CodeIndex(map_code).search(queries, 4)
    np.testing.assert_array_equal(rows, exact(map_code, queries, 4))
    keys = map_code.descriptors(rows.ravel()).reshape(100, 4, DIM)
    np.testing.assert_allclose(similarity, np.einsum("nd,nkd->nk", queries, keys), atol=1e-5)
    assert (np.diff(similarity, axis=1) <= 0).all()


def test_a_large_map_is_searched_almost_exactly():
    map_code = new_map()
    rows = grow(map_code, 3 * MIN_CLUSTERED)
    queries = noisy(np.random.default_rng(1), map_code.descriptors(rows[::20]), 0.9)
    _, found = CodeIndex(map_code).search(queries, 4)
    assert (found[:, 0] == exact(map_code, queries, 1)[:, 0]).mean() >= 0.9


def test_new_codes_are_found_at_once_also_beside_the_clusters():
    map_code = new_map()
    grow(map_code, 2 * MIN_CLUSTERED)
    index = CodeIndex(map_code)
    index.search(map_code.descriptors(map_code.codes.rows()[:1]), 1)
    rows = grow(map_code, 50, seed=5)
    _, found = index.search(map_code.descriptors(rows), 1)
    np.testing.assert_array_equal(found[:, 0], rows)


@pytest.mark.parametrize("removed", [20, 2 * MIN_CLUSTERED - 10, 2 * MIN_CLUSTERED])
def test_removed_codes_are_never_found(removed):
    map_code = new_map()
    rows = grow(map_code, 2 * MIN_CLUSTERED)
    index = CodeIndex(map_code)
    queries = map_code.descriptors(rows[:removed:10])
    index.search(queries[:1], 1)
    map_code.remove(rows[:removed])
    _, found = index.search(queries, 4)
    assert not np.isin(found, rows[:removed]).any()


def test_a_code_that_changed_is_found_by_its_new_key_only():
    map_code = new_map()
    rows = grow(map_code, 2 * MIN_CLUSTERED)
    index = CodeIndex(map_code)
    old = map_code.descriptors(rows[:1])
    index.search(old, 1)
    new = unit_vectors(np.random.default_rng(9), 1, DIM)
    map_code.remove(rows[:1])
    map_code.codes.put(rows[:1], map_code.version + 1, keys=np.rint(new * 250).clip(-127, 127).astype(np.int8))
    map_code.version += 1
    similarity, found = index.search(new, 1)
    assert found[0, 0] == rows[0]
    assert similarity[0, 0] > 0.99
    similarity, found = index.search(old, 4)
    assert rows[0] not in found or similarity[0, list(found[0]).index(rows[0])] < 0.9


def test_a_row_used_again_is_found_as_the_new_code():
    map_code = new_map()
    rows = grow(map_code, 2 * MIN_CLUSTERED)
    index = CodeIndex(map_code)
    index.search(map_code.descriptors(rows[:1]), 1)
    map_code.remove(rows[:30])
    again = grow(map_code, 30, seed=3)
    assert set(again.tolist()) == set(rows[:30].tolist())
    similarity, found = index.search(map_code.descriptors(again), 1)
    np.testing.assert_array_equal(found[:, 0], again)
    assert similarity.min() > 0.999


def test_growing_bit_by_bit_stays_as_good_as_building_at_once():
    map_code = new_map()
    index = CodeIndex(map_code)
    for step in range(12):
        rows = grow(map_code, MIN_CLUSTERED // 4, seed=step)
        index.search(map_code.descriptors(rows[:2]), 2)
    queries = noisy(np.random.default_rng(1), map_code.descriptors(map_code.codes.rows()[::20]), 0.9)
    _, found = index.search(queries, 1)
    assert (found[:, 0] == exact(map_code, queries, 1)[:, 0]).mean() >= 0.9


def test_clusters_are_made_anew_only_when_the_map_has_twice_as_many_codes(monkeypatch):
    made, original = [], faiss.IndexIVFScalarQuantizer

    def counted(quantizer: faiss.Index, dim: int, clusters: int, *others: object) -> faiss.Index:
        made.append(clusters)
        return original(quantizer, dim, clusters, *others)

    monkeypatch.setattr("cl_localization.map.code_index.MIN_CLUSTERED", 100)
    monkeypatch.setattr("cl_localization.map.code_index.faiss.IndexIVFScalarQuantizer", counted)
    map_code = new_map()
    index = CodeIndex(map_code)
    for step in range(10):
        index.search(map_code.descriptors(grow(map_code, 110, seed=step)[:2]), 2)
    assert made == [int(2 * np.sqrt(codes)) for codes in (110, 330, 770)]


def test_a_follower_is_searched_like_its_leader():
    leader = new_map()
    grow(leader, 300)
    follower = MapCode.from_snapshot(leader.delta_since(0), MapCodeConfig())
    index, queries = CodeIndex(follower), unit_vectors(np.random.default_rng(2), 50, DIM)
    index.search(queries, 1)
    leader.remove(grow(leader, 100, seed=7)[::2])
    leader.remove(leader.codes.rows()[:50])
    follower.apply(leader.delta_since(follower.version))
    np.testing.assert_array_equal(index.search(queries, 3)[1], exact(leader, queries, 3))


def test_searching_prints_nothing(capfd):
    map_code = new_map()
    grow(map_code, MIN_CLUSTERED + 1)
    CodeIndex(map_code).search(map_code.descriptors(map_code.codes.rows()[:5]), 4)
    assert tuple(capfd.readouterr()) == ("", "")


class IndexMachine(RuleBasedStateMachine):
    """Searches a small map after every change; a low threshold makes it cluster."""

    def __init__(self) -> None:
        super().__init__()
        self.map_code, self.seed = new_map(), 0
        self.index = CodeIndex(self.map_code)

    @rule(count=st.integers(0, 300))
    def insert(self, count):
        self.seed += 1
        grow(self.map_code, count, self.seed)

    @rule(share=st.floats(0, 1))
    def remove(self, share):
        rows = self.map_code.codes.rows()
        self.map_code.remove(rows[np.random.default_rng(self.seed).random(len(rows)) < share])

    @invariant()
    def every_code_finds_itself_and_nothing_else_is_found(self):
        rows = self.map_code.codes.rows()
        similarity, found = self.index.search(self.map_code.descriptors(rows), 3)
        assert (found[:, 0] == rows).all()
        assert self.map_code.codes.live[found[found >= 0]].all()
        assert ((similarity == -1) == (found == -1)).all()


TestIndexThatFollows = IndexMachine.TestCase
TestIndexThatFollows.settings = settings(max_examples=10, stateful_step_count=10, deadline=None)


@pytest.fixture(autouse=True)
def _clusters_early(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.cls is TestIndexThatFollows:
        monkeypatch.setattr("cl_localization.map.code_index.MIN_CLUSTERED", 100)


def test_many_codes_are_clustered_in_the_background_and_found_when_that_is_done(monkeypatch):
    monkeypatch.setattr(code_index, "MAX_AT_ONCE", 2 * MIN_CLUSTERED)
    map_code = new_map()
    rows = grow(map_code, 3 * MIN_CLUSTERED)
    queries = map_code.descriptors(rows[::50])
    index = CodeIndex(map_code, in_background=True)
    assert (index.search(queries, 1)[1] == -1).all() or index.is_ready
    removed, new = rows[:100], grow(map_code, 50, seed=7)
    map_code.remove(removed)
    wait_for(index, queries)
    found = set(index.search(map_code.descriptors(np.concatenate([rows[100:], new])), 1)[1].ravel().tolist())
    assert found >= set(new.tolist()) and not found & set(removed.tolist()) and len(found) > 0.95 * len(map_code)


def test_old_clusters_serve_while_new_ones_are_made(monkeypatch):
    monkeypatch.setattr(code_index, "MAX_AT_ONCE", 2 * MIN_CLUSTERED)
    map_code = new_map()
    index = CodeIndex(map_code, in_background=True)
    old = grow(map_code, MIN_CLUSTERED + 1)
    assert (index.search(map_code.descriptors(old[:50]), 1)[1][:, 0] == old[:50]).all() and index.is_ready
    going_on = Event()
    monkeypatch.setattr(clusters, "clustered", lambda *_, make=clusters.clustered: going_on.wait(60) and make(*_))
    grown = grow(map_code, 2 * MIN_CLUSTERED, seed=3)
    for rows in (old, grown):
        assert (index.search(map_code.descriptors(rows[:50]), 1)[1][:, 0] == rows[:50]).mean() > 0.9
    assert not index.is_ready
    going_on.set()
    wait_for(index, map_code.descriptors(old[:1]))
    assert (index.search(map_code.descriptors(grown[:50]), 1)[1][:, 0] == grown[:50]).mean() > 0.9


def test_what_was_asked_before_the_first_clusters_were_made_is_searched_once_they_are(monkeypatch):
    monkeypatch.setattr(code_index, "MAX_AT_ONCE", MIN_CLUSTERED)
    map_code, going_on = new_map(), Event()
    monkeypatch.setattr(clusters, "clustered", lambda *_, make=clusters.clustered: going_on.wait(60) and make(*_))
    rows = grow(map_code, 2 * MIN_CLUSTERED)[::50]
    index, queries = CodeIndex(map_code, in_background=True), map_code.descriptors(rows)
    assert (index.search(queries, 1)[1] == -1).all()
    going_on.set()
    wait_for(index, queries)
    assert (index.search(queries, 1)[1][:, 0] == rows).mean() > 0.9


def test_a_failure_in_the_background_is_raised_where_the_index_is_used(monkeypatch):
    monkeypatch.setattr(code_index, "MAX_AT_ONCE", MIN_CLUSTERED)
    monkeypatch.setattr(clusters, "clustered", None)
    map_code = new_map()
    grow(map_code, 2 * MIN_CLUSTERED)
    index = CodeIndex(map_code, in_background=True)
    with pytest.raises(TypeError, match="not callable"):
        wait_for(index, np.zeros((1, DIM), np.float32))


@pytest.mark.parametrize("large", [10**9, 0])
def test_what_is_asked_again_has_the_same_answer_until_the_map_changes(monkeypatch, large):
    monkeypatch.setattr(code_index, "LARGE", large)
    map_code = new_map()
    rows = grow(map_code, 3 * MIN_CLUSTERED)
    queries = noisy(np.random.default_rng(1), map_code.descriptors(rows[::40]), 0.9)
    index = CodeIndex(map_code)
    for count in (4, 8, 4):
        for found, wanted in zip(index.search(queries, count), CodeIndex(map_code).search(queries, count)):
            np.testing.assert_array_equal(found, wanted)
    nearest = index.search(queries, 1)[1][:, 0]
    map_code.remove(nearest)
    assert not np.isin(index.search(queries, 4)[1], nearest).any()


@pytest.mark.parametrize("count", [60, 61])
@pytest.mark.parametrize("every", [2, 3])
def test_where_a_part_was_asked_before_the_answer_is_that_of_asking_all_at_once(every, count):
    map_code = new_map()
    rows = grow(map_code, 3 * MIN_CLUSTERED)
    queries = noisy(np.random.default_rng(1), map_code.descriptors(rows[:count]), 0.9)
    index, searched = CodeIndex(map_code), []
    index.search(queries[::every], 4)
    index._searched = lambda asked, wanted: searched.append(len(asked)) or CodeIndex._searched(index, asked, wanted)
    for found, wanted in zip(index.search(queries, 4), CodeIndex(map_code).search(queries, 4)):
        np.testing.assert_array_equal(found, wanted)
    assert searched == [count - len(queries[::every])]
