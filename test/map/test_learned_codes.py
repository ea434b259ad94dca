"""Learned codes in a map: written and read back, with what their keys' scale is."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.learned_codes import (
    LearnedArrays,
    code_count,
    is_learned,
    learned_arrays,
    learned_map_beside,
    put_learned,
    require_grown,
)
from cl_localization.map.map_code import MapCode
from cl_localization.map.map_file import load_map, save_map
from map_makers import empty_map, grow


def codes_of(count: int, dim: int = 8, seed: int = 0) -> LearnedArrays:
    """Random codes of one scene, with keys of any length."""
    random = np.random.default_rng(seed)
    return LearnedArrays(random.normal(scale=3.0, size=(count, dim)).astype(np.float32),
                         random.uniform(-5, 5, (count, 3)).astype(np.float32), np.zeros(count, np.int64),
                         np.ones(count, np.float32))


def learned_map(count: int = 20) -> MapCode:
    """A map of learned codes beside a grown one."""
    grown = empty_map()
    grow(grown)
    learned = learned_map_beside(grown)
    learned.add_keyframe(np.eye(4), 0, 0)
    put_learned(learned, codes_of(count), 0.05)
    return learned


def test_keys_of_any_length_are_read_back_to_a_percent_of_the_longest() -> None:
    codes = learned_arrays(learned_map())
    wanted = codes_of(20)
    assert np.abs(codes.keys - wanted.keys).max() <= 0.005 * np.abs(wanted.keys).max()
    np.testing.assert_array_equal(codes.positions_m, wanted.positions_m)


def test_fewer_codes_take_the_place_of_more() -> None:
    learned = learned_map(20)
    version = learned.version
    put_learned(learned, codes_of(7, seed=1), 0.05)
    assert len(learned) == 7 and learned.version == version + 1


def test_a_file_keeps_that_codes_are_learned(tmp_path) -> None:
    learned = learned_map()
    save_map(learned, tmp_path / "small.map")
    loaded = load_map(tmp_path / "small.map")
    assert is_learned(loaded) and loaded.temperature == learned.temperature
    np.testing.assert_array_equal(learned_arrays(loaded).keys, learned_arrays(learned).keys)


def test_a_follower_learns_from_deltas_that_codes_are_learned() -> None:
    learned = learned_map()
    follower = MapCode.from_snapshot(learned.delta_since(0), MapCodeConfig())
    put_learned(learned, codes_of(20, seed=2), 0.05)
    follower.apply(learned.delta_since(follower.version))
    assert follower.temperature == learned.temperature
    np.testing.assert_array_equal(learned_arrays(follower).keys, learned_arrays(learned).keys)


def test_a_negative_temperature_is_refused() -> None:
    delta = learned_map().delta_since(0)
    delta.temperature = -1.0
    with pytest.raises(MapError, match="map code temperature must not be negative"):
        MapCode.from_snapshot(delta, MapCodeConfig())


def test_as_many_codes_as_counted_fit_a_file(tmp_path) -> None:
    learned = learned_map(1)
    put_learned(learned, codes_of(code_count(learned, 20_000)), 0.05)
    assert 16_000 < save_map(learned, tmp_path / "small.map") <= 20_000


def test_learned_codes_are_not_extended() -> None:
    require_grown(empty_map())
    with pytest.raises(MapError, match="must hold grown codes to be extended or compressed"):
        require_grown(learned_map())
