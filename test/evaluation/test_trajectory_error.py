"""Trajectories are compared after alignment, rigid or with a scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import DataError
from cl_localization.evaluation.trajectory_error import aligned_errors_m, path_m, rmse
from cl_localization.geometry import se3
from core_makers import motions

TRUE_M = np.random.default_rng(0).normal(size=(30, 3)) * [3, 2, 0.5]


@given(motions(10), st.floats(0.2, 5))
def test_where_a_trajectory_begins_does_not_matter_nor_its_scale_if_that_is_unknown(a_T_b, scale):
    moved = se3.transform(a_T_b, TRUE_M)
    assert aligned_errors_m(moved, TRUE_M).max() < 1e-9
    assert aligned_errors_m(scale * moved, TRUE_M, with_scale=True).max() < 1e-8


def test_a_wrong_scale_is_an_error_where_the_scale_is_known():
    assert rmse(aligned_errors_m(1.1 * TRUE_M, TRUE_M)) > 0.1


def test_a_mirrored_trajectory_is_wrong():
    assert rmse(aligned_errors_m(TRUE_M * [1, 1, -1], TRUE_M)) > 0.1


def test_noise_comes_out_as_it_went_in():
    noise = np.random.default_rng(1).normal(scale=0.01, size=(3000, 3))
    true_m = np.random.default_rng(2).normal(size=(3000, 3))
    assert rmse(aligned_errors_m(true_m + noise, true_m)) == pytest.approx(0.01 * np.sqrt(3), rel=0.05)


def test_two_positions_are_too_few():
    with pytest.raises(DataError, match="at least 3"):
        aligned_errors_m(TRUE_M[:2], TRUE_M[:2])


def test_the_way_is_the_sum_of_its_steps():
    assert path_m(np.array([[0, 0, 0], [3, 4, 0], [3, 4, 2]])) == pytest.approx(7)
