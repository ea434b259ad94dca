"""The map code: inserting, merging and evicting, within cells and within the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import COVERAGE_REGION_CELLS, MAX_COUNT, MapCode, NewCodes, cell_labels, quantized
from core_makers import motion, unit_vectors

DIM = 16
RANDOM = np.random.default_rng(0)


def new_map(**options: object) -> MapCode:
    return MapCode(MapCodeConfig(**{"cell_size_m": 0.1, "modes_per_cell": 2, **options}), "scene", DIM)


def keyframe_of(map_code: MapCode, stamp_ns: int = 5 * 10**9, scene: str = "kitchen") -> int:
    return map_code.add_keyframe(np.eye(4), stamp_ns, map_code.scene_number(scene))


def codes_at(positions_m: np.ndarray, sigma_m: float = 0.01, seed: int = 0) -> NewCodes:
    positions_m = np.asarray(positions_m, np.float32).reshape(-1, 3)
    return NewCodes(unit_vectors(np.random.default_rng(seed), len(positions_m), DIM), positions_m,
                    np.full(len(positions_m), sigma_m, np.float32))


def scattered(count: int, seed: int = 0) -> NewCodes:
    return codes_at(np.random.default_rng(seed).uniform(-5, 5, (count, 3)), seed=seed)


def test_a_new_map_is_empty():
    map_code = new_map()
    assert (len(map_code), map_code.version, map_code.size_bytes, map_code.scene_names) == (0, 0, 0, [])
    assert map_code.positions_m.shape == (0, 3)
    assert map_code.keyframe_world_T_cam.shape == (0, 4, 4)
    assert map_code.frame_id == "map"


def test_every_map_has_an_identity_of_its_own():
    assert new_map().map_id != new_map().map_id
    assert MapCode(MapCodeConfig(), "scene", DIM, "abc").map_id == "abc"


def test_inserted_codes_are_what_was_given():
    map_code = new_map()
    frame = keyframe_of(map_code)
    new = scattered(50)
    rows = map_code.insert(new, frame)
    np.testing.assert_array_equal(map_code.codes["positions_m"][rows], new.positions_m)
    np.testing.assert_array_equal(map_code.codes["sigmas_m"][rows], new.sigmas_m)
    assert np.einsum("nd,nd->n", map_code.descriptors(rows), new.descriptors).min() > 0.99
    assert set(map_code.codes["seen"][rows].tolist()) == {1}
    assert set(map_code.codes["stamps_s"][rows].tolist()) == {5}
    assert set(map_code.codes["anchors"][rows].tolist()) == {frame}
    assert map_code.scene_names[map_code.codes["scenes"][rows[0]]] == "kitchen"


def test_a_keyframe_is_what_was_given():
    map_code = new_map()
    world_T_cam = motion(np.array([0.3, -0.2, 1.0]), np.array([1.0, 2.0, 3.0]))
    number = map_code.add_keyframe(world_T_cam, -7, map_code.scene_number("hall"))
    np.testing.assert_allclose(map_code.keyframe_world_T_cam, world_T_cam[None], atol=1e-12)
    assert map_code.keyframes["keyframe_stamps_ns"][number] == -7
    map_code.move_keyframe(number, np.eye(4))
    np.testing.assert_allclose(map_code.keyframe_world_T_cam, np.eye(4)[None], atol=1e-12)


def test_a_keyframe_has_no_variance_factor_until_one_is_given():
    map_code = new_map()
    first, second = keyframe_of(map_code), map_code.add_keyframe(np.eye(4), 0, 0, 5.0)
    assert map_code.keyframes["keyframe_variance_factors"][[first, second]].tolist() == [0.0, 5.0]
    version = map_code.version
    map_code.set_variance_factors(np.array([first]), np.array([7.0]))
    assert map_code.keyframes["keyframe_variance_factors"][[first, second]].tolist() == [7.0, 5.0]
    assert map_code.delta_since(version).keyframe_ids.tolist() == [first]


@pytest.mark.parametrize(("stamp_ns", "stamp_s"), [(-1, 0), (0, 0), (1_999_999_999, 1), (10**19 // 2, 2**32 - 1)])
def test_stamps_of_codes_are_whole_seconds_within_their_type(stamp_ns, stamp_s):
    map_code = new_map()
    row = map_code.insert(scattered(1), keyframe_of(map_code, stamp_ns))
    assert map_code.codes["stamps_s"][row[0]] == stamp_s


def test_scenes_are_numbered_by_name():
    map_code = new_map()
    assert [map_code.scene_number(name) for name in ("a", "b", "a", "c")] == [0, 1, 0, 2]
    assert map_code.scene_names == ["a", "b", "c"]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 4), st.integers(1, 5))
def test_no_cell_ever_holds_more_modes_than_it_may(cells, modes, batches):
    map_code = new_map(modes_per_cell=modes)
    frame = keyframe_of(map_code)
    positions_m = np.array([[0.1 * cell + 0.05, 0.0, 0.0] for cell in cells])
    inserted = sum(int((map_code.insert(codes_at(part), frame) >= 0).sum())
                   for part in np.array_split(positions_m, batches))
    population = np.bincount(cells)
    assert inserted == len(map_code) == np.minimum(population, modes).sum()
    assert np.unique(cell_labels(map_code.positions_m, 0.1), return_counts=True)[1].max() <= modes


def test_the_first_of_a_batch_find_room():
    map_code = new_map(modes_per_cell=2)
    rows = map_code.insert(codes_at(np.full((4, 3), 0.05)), keyframe_of(map_code))
    assert (rows >= 0).tolist() == [True, True, False, False]


def test_room_is_found_where_codes_left_or_another_scene_has_them():
    map_code = new_map(modes_per_cell=1)
    frame, here = keyframe_of(map_code), codes_at(np.full((1, 3), 0.05))
    row = map_code.insert(here, frame)
    assert map_code.insert(here, frame).tolist() == [-1]
    map_code.move(row, np.full((1, 3), 5.05), np.ones(1))
    assert (map_code.insert(here, frame) >= 0).all() and map_code.insert(here, frame).tolist() == [-1]
    elsewhere = map_code.add_keyframe(np.eye(4), 0, map_code.scene_number("elsewhere"))
    assert (map_code.insert(here, elsewhere) >= 0).all() and map_code.insert(here, frame).tolist() == [-1]


def test_an_empty_batch_inserts_nothing():
    map_code = new_map()
    assert map_code.insert(scattered(0), keyframe_of(map_code)).tolist() == []


@given(st.lists(st.tuples(*[st.integers(-10**6, 10**6)] * 3), min_size=1, max_size=30))
def test_cells_have_labels_of_their_own(cells):
    labels = cell_labels((np.array(cells) + 0.5) * 0.25, 0.25)
    assert len(np.unique(labels)) == len(set(cells))


def test_positions_either_side_of_zero_are_in_different_cells():
    labels = cell_labels(np.array([[-0.01, 0, 0], [0.01, 0, 0]]), 0.1)
    assert labels[0] != labels[1]


@given(st.integers(2, 256), st.integers(0, 1000))
def test_quantized_keys_stay_close_to_their_descriptors(dim, seed):
    descriptors = unit_vectors(np.random.default_rng(seed), 20, dim)
    keys = quantized(descriptors)
    assert keys.dtype == np.int8
    restored = keys / np.linalg.norm(keys.astype(float), axis=1, keepdims=True)
    assert np.einsum("nd,nd->n", restored, descriptors).min() > 0.98


def test_merging_weighs_positions_by_their_certainty():
    map_code = new_map()
    frame = keyframe_of(map_code)
    rows = map_code.insert(codes_at([[0, 0, 0.0]], sigma_m=0.01), frame)
    map_code.merge(rows, codes_at([[0.05, 0, 0]], sigma_m=0.02), frame)
    np.testing.assert_allclose(map_code.codes["positions_m"][rows], [[0.01, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(map_code.codes["sigmas_m"][rows], [(0.01**-2 + 0.02**-2) ** -0.5], rtol=1e-5)
    assert map_code.codes["seen"][rows].tolist() == [2]


def test_merging_often_averages_positions_and_keys():
    random = np.random.default_rng(1)
    map_code = new_map()
    frame = keyframe_of(map_code)
    truth = unit_vectors(random, 1, DIM)
    observations = [NewCodes((truth + random.normal(scale=0.1, size=truth.shape)).astype(np.float32),
                             random.normal(scale=0.02, size=(1, 3)).astype(np.float32), np.array([0.02], np.float32))
                    for _ in range(100)]
    observations = [NewCodes(one.descriptors / np.linalg.norm(one.descriptors), one.positions_m, one.sigmas_m)
                    for one in observations]
    rows = map_code.insert(observations[0], frame)
    for one in observations[1:]:
        map_code.merge(rows, one, frame)
    assert np.linalg.norm(map_code.codes["positions_m"][rows]) < 0.008
    np.testing.assert_allclose(map_code.codes["sigmas_m"][rows], [0.002], rtol=0.01)
    assert (map_code.descriptors(rows) @ truth.T).item() > 0.99
    assert map_code.codes["seen"][rows].tolist() == [100]


def test_the_count_of_observations_stops_at_its_type():
    map_code = new_map()
    frame = keyframe_of(map_code)
    rows = map_code.insert(scattered(1), frame)
    map_code.codes.put(rows, map_code.version, seen=65535)
    map_code.merge(rows, scattered(1), frame)
    assert map_code.codes["seen"][rows].tolist() == [65535]


def test_a_code_that_was_seen_often_still_follows_what_it_looks_like_now():
    map_code = new_map()
    frame = keyframe_of(map_code)
    rows = map_code.insert(codes_at([[0, 0, 0.0]]), frame)
    map_code.codes["seen"][rows] = 5000
    now = codes_at([[0, 0, 0.0]], seed=1)
    for _ in range(40):
        map_code.merge(rows, now, frame)
    assert (map_code.descriptors(rows) * now.descriptors).sum() > 0.7


def test_merging_nothing_changes_nothing():
    map_code = new_map()
    frame = keyframe_of(map_code)
    version = map_code.version
    map_code.merge(np.zeros(0, np.int64), scattered(0), frame)
    assert map_code.version == version


def test_moving_sets_positions_and_sigmas_only():
    map_code = new_map()
    rows = map_code.insert(scattered(3), keyframe_of(map_code))
    keys = map_code.codes["keys"][rows].copy()
    map_code.move(rows[1:2], np.array([[1.0, 2.0, 3.0]]), np.array([0.5]))
    assert map_code.codes["positions_m"][rows[1]].tolist() == [1, 2, 3]
    assert map_code.codes["sigmas_m"][rows].tolist() == [pytest.approx(0.01), 0.5, pytest.approx(0.01)]
    np.testing.assert_array_equal(map_code.codes["keys"][rows], keys)


def test_describing_sets_keys_and_counts_only():
    map_code = new_map()
    rows = map_code.insert(scattered(3), keyframe_of(map_code))
    positions_m = map_code.codes["positions_m"][rows].copy()
    described = unit_vectors(np.random.default_rng(5), 2, DIM)
    map_code.describe(rows[1:], described, np.array([4, MAX_COUNT + 9]))
    assert ((map_code.descriptors(rows[1:]) * described).sum(axis=1) > 0.99).all()
    assert map_code.codes["seen"][rows].tolist() == [1, 4, MAX_COUNT]
    np.testing.assert_array_equal(map_code.codes["positions_m"][rows], positions_m)


def test_every_change_is_a_version():
    map_code = new_map()
    versions = [map_code.version]
    frame = keyframe_of(map_code)
    versions.append(map_code.version)
    rows = map_code.insert(scattered(3), frame)
    versions.append(map_code.version)
    map_code.merge(rows[:1], scattered(1), frame)
    versions.append(map_code.version)
    map_code.move(rows[:1], np.zeros((1, 3)), np.ones(1))
    versions.append(map_code.version)
    map_code.remove(rows[:1])
    versions.append(map_code.version)
    assert versions == [0, 1, 2, 3, 4, 5]


def test_the_cell_size_can_be_set_while_there_are_no_codes():
    map_code = new_map()
    map_code.set_cell_size(0.5)
    map_code.insert(scattered(2), keyframe_of(map_code))
    assert map_code.cell_size_m == 0.5
    with pytest.raises(MapError, match="cell size can only be set while the map is empty, found 2 codes"):
        map_code.set_cell_size(0.1)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=8), st.integers(0, 100))
def test_the_budget_is_never_exceeded(counts, seed):
    map_code = new_map(budget_mb=0.01)
    for index, count in enumerate(counts):
        before = len(map_code)
        inserted = map_code.insert(scattered(count, seed + index), keyframe_of(map_code))
        evicted = map_code.evict_to_budget()
        assert map_code.size_bytes <= 10_000
        assert len(map_code) == before + (inserted >= 0).sum() - evicted


def test_within_the_budget_nothing_goes():
    map_code = new_map(budget_mb=1.0)
    map_code.insert(scattered(100), keyframe_of(map_code))
    version = map_code.version
    assert map_code.evict_to_budget() == 0
    assert (len(map_code), map_code.version) == (100, version)


def test_no_more_codes_go_than_must():
    map_code = new_map(budget_mb=0.01)
    map_code.insert(scattered(300), keyframe_of(map_code))
    map_code.evict_to_budget()
    assert map_code.size_bytes + map_code.codes.row_bytes > 10_000


def test_eviction_keeps_every_region_and_the_codes_that_were_seen_most():
    map_code = new_map(budget_mb=0.01, modes_per_cell=16)
    frame = keyframe_of(map_code)
    crowd = map_code.insert(codes_at(RANDOM.uniform(0.1, 1.5, (400, 3))), frame)
    crowd = crowd[crowd >= 0]
    loners = map_code.insert(codes_at(np.eye(3) * 50), frame)
    useful = crowd[:20]
    map_code.merge(useful, codes_at(map_code.codes["positions_m"][useful]), frame)
    assert map_code.evict_to_budget() > 0
    assert map_code.codes.live[loners].all()
    assert map_code.codes.live[useful].all()
    assert map_code.config.cell_size_m * COVERAGE_REGION_CELLS == pytest.approx(1.6)


def test_keyframes_that_anchor_no_code_go_with_the_last_of_theirs():
    map_code = new_map(budget_mb=0.01, modes_per_cell=16)
    first, second = keyframe_of(map_code), keyframe_of(map_code)
    map_code.insert(codes_at(RANDOM.uniform(0.1, 1.5, (40, 3))), first)
    kept = map_code.insert(codes_at(RANDOM.uniform(0.1, 1.5, (198, 3))), second)
    map_code.merge(kept, codes_at(map_code.codes["positions_m"][kept]), second)
    map_code.evict_to_budget()
    assert map_code.keyframes.rows().tolist() == [second]
    assert set(map_code.codes["anchors"][map_code.codes.rows()].tolist()) == {second}


def test_keyframes_without_codes_go_last_the_oldest_first():
    map_code = new_map(budget_mb=0.01)
    map_code.insert(scattered(1), keyframe_of(map_code))
    for second in range(200):
        keyframe_of(map_code, (200 - second) * 10**9)
    assert map_code.evict_to_budget() == 1
    assert 10_000 - map_code.keyframes.row_bytes < map_code.size_bytes <= 10_000
    kept_s = map_code.keyframes["keyframe_stamps_ns"][map_code.keyframes.rows()] // 10**9
    assert sorted(kept_s.tolist()) == list(range(201 - len(kept_s), 201))


def test_a_keyframe_that_never_anchored_a_code_stays_while_codes_make_room():
    map_code = new_map(budget_mb=0.01, modes_per_cell=16)
    first = keyframe_of(map_code)
    map_code.insert(scattered(300), keyframe_of(map_code))
    assert map_code.evict_to_budget() > 0
    assert first in map_code.keyframes.rows()


def test_a_map_shows_what_is_in_it():
    map_code = new_map()
    assert repr(map_code).endswith("version 0: 0 codes of 0 keyframes in no scene, 0 bytes, scene>")
    map_code.insert(scattered(5), keyframe_of(map_code))
    assert f"<MapCode {map_code.map_id[:8]} version 2: 5 codes of 1 keyframes in kitchen, " in repr(map_code)
