"""Attention over learned codes."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.localization.learned.regressor import NEIGHBOURS, AttentionCodes, CodesOfScenes
from cl_localization.map.learned_codes import LearnedArrays


def codes_at(positions_m: np.ndarray) -> AttentionCodes:
    """Codes whose keys are the axes."""
    count = len(positions_m)
    return AttentionCodes(LearnedArrays(50 * np.eye(count, dtype=np.float32), positions_m, np.zeros(count),
                                        np.ones(count)))


def test_the_spread_of_an_answer_is_that_of_its_codes() -> None:
    found = codes_at(np.array([[0.0, 0, 0], [2.0, 0, 0], [9.0, 9, 9]])).answer(np.array([[1.0, 1, 0], [0, 0, 1]]))
    np.testing.assert_allclose(found.points_m, [[1.0, 0, 0], [9.0, 9, 9]], atol=1e-4)
    assert found.sigmas_m[0] == pytest.approx(1.0, abs=1e-3) and found.sigmas_m[1] < 0.05 and found.codes[1] == 2
    np.testing.assert_allclose(found.attention, 1.0, atol=1e-3)


def test_an_answer_lies_where_most_attention_goes_not_between_places() -> None:
    here, there = np.zeros((NEIGHBOURS, 3)), np.full((NEIGHBOURS, 3), 9.0)
    codes = codes_at(np.concatenate([here, there]))
    found = codes.answer(np.eye(2 * NEIGHBOURS)[[0]] + 0.98 * np.eye(2 * NEIGHBOURS)[[NEIGHBOURS]])
    np.testing.assert_allclose(found.points_m, [[0.0, 0, 0]], atol=1e-4)
    assert found.attention[0] == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-3)


def test_all_features_of_an_image_attend_to_the_codes_of_one_scene() -> None:
    positions_m = np.repeat([[0.0, 0, 0], [9.0, 9, 9]], 3, axis=0)
    lengths = np.repeat([5.0, 50.0], 3)[:, None]
    codes = CodesOfScenes(LearnedArrays((lengths * np.eye(6)).astype(np.float32), positions_m, np.repeat([2, 5], 3),
                                        np.ones(6)))
    found = codes.answer(np.array([[1.0, 0, 0, 0.8, 0, 0], [0, 1, 0, 0, 0.8, 0], [0, 0, 0, 0, 0, 1]]))
    np.testing.assert_allclose(found.points_m, 0.0, atol=1e-4)
    assert found.codes[:2].tolist() == [0, 1]
