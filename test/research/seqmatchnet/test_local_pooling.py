from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.local_pooling import gem, learn_vocabulary, vlad


def features(seed: int, count: int = 50, width: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_gem_has_unit_length_and_no_order() -> None:
    local = features(0)
    assert gem(local).shape == (16,) and np.isclose(np.linalg.norm(gem(local)), 1)
    assert np.allclose(gem(local), gem(local[::-1]), atol=1e-6)


def test_gem_of_one_power_is_the_mean_of_the_signed_parts() -> None:
    local = features(1)
    parts = np.concatenate([np.maximum(local, 0), np.maximum(-local, 0)], axis=1).mean(axis=0)
    assert np.allclose(gem(local, power=1.0), parts / np.linalg.norm(parts), atol=1e-6)


def test_no_features_pool_to_zeros() -> None:
    assert not gem(np.zeros((0, 8), np.float32)).any()
    assert not vlad(np.zeros((0, 8), np.float32), features(0, 4)).any()


def test_vlad_is_what_the_loops_say() -> None:
    local, vocabulary = features(2), features(3, 4)
    sums = np.zeros((4, 8))
    for one in local:
        nearest = int(np.argmin(np.linalg.norm(vocabulary - one, axis=1)))
        sums[nearest] += one - vocabulary[nearest]
    sums /= np.linalg.norm(sums, axis=1, keepdims=True) + 1e-12
    assert np.allclose(vlad(local, vocabulary), (sums / np.linalg.norm(sums)).ravel(), atol=1e-5)


def test_a_vocabulary_is_the_same_for_the_same_map() -> None:
    parts = [features(4), np.zeros((0, 8), np.float32), features(5)]
    first, second = learn_vocabulary(parts, 6), learn_vocabulary(parts, 6)
    assert first.shape == (6, 8) and np.array_equal(first, second)


def test_a_map_with_fewer_features_than_words_is_refused() -> None:
    with pytest.raises(DataError, match="vocabulary needs at least 60 local descriptors, found 50"):
        learn_vocabulary([features(0)], 60)
    with pytest.raises(DataError, match="local descriptors must be numbers"):
        learn_vocabulary([], 6)
