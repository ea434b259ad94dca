from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.places.place_index import checked_descriptors
from cl_localization.research.seqmatchnet.checks import checked_length, checked_width


def test_good_descriptors_come_back_as_float32() -> None:
    assert checked_descriptors(np.ones((3, 2)), "d", 2).dtype == np.float32


@pytest.mark.parametrize("values, message", [
    (np.ones(3), r"d must be numbers of shape \(N, D\), found \(3,\) float64"),
    (np.ones((0, 3)), r"d must be numbers of shape \(N, D\), found \(0, 3\)"),
    (np.array([["a"]]), "d must be numbers"),
    (np.ones((3, 5)), "d must be 4 numbers wide, found 5; use descriptors of the model or index"),
    (np.array([[1, 1, 1, 1], [1, np.nan, 1, 1], [1, 1, np.inf, 1.0]]),
     "d must be finite, found NaN or infinity in row 1 and 1 more"),
    (np.full((1, 4), 1e300), "d must be finite")])
def test_descriptors_that_make_no_sense_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_descriptors(values, "d", 4)


def test_a_sequence_must_fit_into_the_traverse() -> None:
    assert checked_length(5, 5, "traverse a") == 5
    with pytest.raises(DataError, match="traverse a must have at least 6 images in a row for that sequence length, "
                                        "found 5"):
        checked_length(6, 5, "traverse a")
    with pytest.raises(DataError, match="sequence length must be at least 1, found 0"):
        checked_length(0, 5, "traverse a")


def test_a_model_takes_one_width_only() -> None:
    assert checked_width(8, 8, "d") == 8
    with pytest.raises(DataError, match="d must be 8 numbers wide for this model, found 9"):
        checked_width(9, 8, "d")
