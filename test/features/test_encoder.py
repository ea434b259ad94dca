"""What encoders yield, and how they are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import EncoderConfig
from cl_localization.errors import ConfigError
from cl_localization.features import Features

FEATURES = Features(np.arange(10, dtype=np.float32).reshape(5, 2), np.eye(5, dtype=np.float32),
                    np.arange(5, dtype=np.float32)[::-1])


@pytest.mark.parametrize("rows", [np.array([0, 2]), np.array([True, False, True, False, False])])
def test_some_features_can_be_chosen(rows):
    chosen = FEATURES.select(rows)
    assert len(chosen) == 2
    assert chosen.keypoints_px.tolist() == [[0, 1], [4, 5]]
    assert chosen.scores.tolist() == [4, 2]
    np.testing.assert_array_equal(chosen.descriptors, np.eye(5)[[0, 2]])


def test_the_first_features_are_the_strongest():
    assert FEATURES.select(slice(3)).scores.tolist() == [4, 3, 2]


def test_no_features_are_features_too():
    assert len(FEATURES.select(np.zeros(0, np.int64))) == 0


def test_an_unknown_encoder_is_refused_with_those_that_are_known():
    with pytest.raises(ConfigError, match="option name must be one of xfeat, dinov2, found 'sift'"):
        EncoderConfig(name="sift")
