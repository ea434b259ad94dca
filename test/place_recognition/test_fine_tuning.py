from __future__ import annotations

import numpy as np
import pytest
from core_makers import unit_vectors

from cl_localization.place_recognition.fine_tuning import KeyframeTransform, Revisits, recall

DIM, PLACES = 32, 120


def revisits(seed: int, misleading: int = 14) -> Revisits:
    """Images of places after some dimensions have changed: in those, every image looks like another place."""
    rng = np.random.default_rng(seed)
    keyframes = unit_vectors(np.random.default_rng(0), PLACES, DIM)
    images = keyframes + 0.05 * rng.normal(size=keyframes.shape)
    images[:, :misleading] = 1.2 * np.roll(keyframes[:, :misleading], 7, axis=0)
    images = (images / np.linalg.norm(images, axis=1, keepdims=True)).astype(np.float32)
    return Revisits(images, keyframes, np.eye(PLACES, dtype=bool), np.zeros((PLACES, PLACES), bool))


def test_what_revisits_teach_holds_for_places_not_learned_from() -> None:
    seen, transform = revisits(1), KeyframeTransform(DIM)
    learned, held_out, unseen = (seen.of(np.arange(begin, begin + 40)) for begin in (0, 40, 80))
    before = recall(transform.matrix, unseen)
    transform.learn(learned, 60.0, max_steps=200)
    assert recall(transform.matrix, unseen) == before and transform.steps == 200
    assert transform.take_if_better(held_out)
    assert recall(transform.matrix, unseen) > before + 0.05


def test_a_version_that_finds_no_more_of_the_past_is_not_taken() -> None:
    transform, past = KeyframeTransform(DIM), revisits(2, misleading=0)
    assert recall(transform.matrix, past) == 1.0
    transform.learn(revisits(1), 60.0, max_steps=50)
    assert not transform.take_if_better(past)
    np.testing.assert_array_equal(transform.matrix, np.eye(DIM))


def test_what_is_in_use_changes_keyframes_only_and_keeps_their_length() -> None:
    transform, seen = KeyframeTransform(DIM), revisits(1)
    np.testing.assert_allclose(transform.applied(seen.keyframes), seen.keyframes, atol=1e-6)
    transform.learn(seen, 60.0, max_steps=50)
    assert transform.take_if_better(seen)
    np.testing.assert_allclose(np.linalg.norm(transform.applied(seen.keyframes), axis=1), 1.0, atol=1e-5)


def test_keyframes_that_are_ignored_are_not_found() -> None:
    seen = revisits(1, misleading=0)
    everything = Revisits(seen.images, seen.keyframes, seen.same, np.eye(PLACES, dtype=bool))
    assert recall(np.eye(DIM, dtype=np.float32), everything) == 0.0
    assert recall(np.eye(DIM, dtype=np.float32), seen.of(np.zeros(0, np.int64))) == pytest.approx(0.0)
