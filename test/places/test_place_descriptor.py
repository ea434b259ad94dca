from __future__ import annotations

import numpy as np
import pytest

from cl_localization.features.encoder import unit_descriptors
from cl_localization.places.map_places import DIM, STRONGEST, place_descriptor
from core_makers import noisy, unit_vectors


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    units = unit_descriptors(np.stack([place_descriptor(one), place_descriptor(other)]))
    return float(units[0] @ units[1])


def pattern(seed: int, count: int = 200, dim: int = 64) -> np.ndarray:
    """Local descriptors of an image of some ten things."""
    rng = np.random.default_rng(seed)
    return noisy(rng, unit_vectors(rng, 10, dim)[rng.integers(0, 10, count)], 0.8)


@pytest.mark.parametrize("dim", [32, 64, 384])
def test_the_same_things_look_alike_and_others_do_not(dim: int) -> None:
    rng = np.random.default_rng(3)
    seen, other = pattern(0, dim=dim), pattern(1, dim=dim)
    again = noisy(rng, seen, 0.95)[rng.permutation(len(seen))[:150]]
    assert likeness(seen, again) > 0.9
    assert likeness(seen, other) < likeness(seen, again) - 0.1


def test_it_is_small_and_always_the_same() -> None:
    descriptor = place_descriptor(pattern(0))
    assert (descriptor.shape, descriptor.dtype) == ((DIM,), np.int8)
    np.testing.assert_array_equal(descriptor, place_descriptor(pattern(0)))


def test_the_order_of_features_and_the_weakest_ones_do_not_count() -> None:
    seen = pattern(0, STRONGEST)
    np.testing.assert_array_equal(place_descriptor(seen), place_descriptor(np.concatenate([seen, pattern(1, 500)])))
    assert likeness(seen, seen[::-1]) > 0.999


@pytest.mark.parametrize("local", [np.zeros((0, 64), np.float32), np.ones((1, 64), np.float32),
                                   np.ones((5, 64), np.float32)])
def test_an_image_without_a_pattern_has_no_descriptor(local: np.ndarray) -> None:
    assert not place_descriptor(local).any()
    assert np.isfinite(unit_descriptors(place_descriptor(local)[None])).all()
