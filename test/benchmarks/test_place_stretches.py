from __future__ import annotations

import numpy as np

from benchmarks.place_stretches import STRETCHES, stretches


def test_every_place_is_tested_once_and_far_from_what_is_trained_on() -> None:
    tested = np.zeros(100, int)
    for (begin, end), trained in stretches(100, 12):
        tested[begin:end] += 1
        for first, last in trained:
            assert last <= begin - 12 or first >= end + 12
        assert trained[0, 0] == 0 or begin < 12 or len(trained) == 1
    assert (tested == 1).all() and len(list(stretches(100, 12))) == STRETCHES
