"""Attention over learned codes."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.localization.learned.attention import AttentionCodes
from cl_localization.map.learned_codes import LearnedArrays


def test_the_spread_of_an_answer_is_that_of_its_codes() -> None:
    positions_m = np.array([[0.0, 0, 0], [2.0, 0, 0], [9.0, 9, 9]])
    codes = AttentionCodes(LearnedArrays(50 * np.eye(3, dtype=np.float32), positions_m, np.zeros(3), np.ones(3)))
    halfway = np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    points_m, spread_m, best = codes.answer(halfway)
    np.testing.assert_allclose(points_m, [[1.0, 0, 0], [9.0, 9, 9]], atol=1e-4)
    assert spread_m[0] == pytest.approx(1.0, abs=1e-3) and spread_m[1] < 0.05 and best[1] == 2
