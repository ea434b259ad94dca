"""Figures of forgetting, on matrices whose answers are known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.forgetting import AccuracyMatrix


def test_forgetting_is_the_fall_from_the_best_and_transfer_the_change_since_learned() -> None:
    matrix = AccuracyMatrix(("a", "b", "c"), np.array([[90.0, np.nan, np.nan], [95.0, 80.0, 10.0], [85.0, 82.0, 70.0]]))
    assert matrix.forgetting.tolist() == [10.0, -2.0]
    assert matrix.backward_transfer == pytest.approx((-5.0 + 2.0) / 2) and matrix.average == pytest.approx(79.0)
    assert matrix.to_json()["percent"][0] == [90.0, None, None]


def test_one_task_forgets_nothing() -> None:
    matrix = AccuracyMatrix(("a",), np.array([[50.0]]))
    assert matrix.forgetting.size == 0 and matrix.backward_transfer == 0.0 and matrix.average == 50.0


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="must be 2 x 2"):
        AccuracyMatrix(("a", "b"), np.zeros((1, 2)))


def test_tasks_learned_at_once_have_no_forgetting_but_an_average() -> None:
    matrix = AccuracyMatrix(("a", "b"), np.array([[np.nan, np.nan], [60.0, 80.0]]))
    assert np.isnan(matrix.forgetting).all() and np.isnan(matrix.backward_transfer) and matrix.average == 70.0
    assert matrix.to_json()["forgetting"] == [None] and matrix.to_json()["backward_transfer"] is None


def test_the_mean_of_seeds_is_that_of_their_matrices() -> None:
    matrices = [AccuracyMatrix(("a", "b"), np.array([[first, np.nan], [20.0, 60.0]])) for first in (80.0, 90.0)]
    mean = AccuracyMatrix.mean(matrices)
    assert mean.percent[0, 0] == 85.0 and np.isnan(mean.percent[0, 1])
