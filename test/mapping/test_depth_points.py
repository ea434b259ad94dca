"""Depth at keypoints: read where it can be trusted, nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.mapping.depth_points import depth_sigmas, keypoint_depths

CENTRE_PX = np.array([[20.5, 15.5]])


def flat(depth_m: float = 2.0) -> np.ndarray:
    return np.full((30, 40), depth_m, np.float32)


def test_on_a_plane_every_keypoint_has_its_depth():
    keypoints_px = np.random.default_rng(0).uniform([0, 0], [40, 30], (100, 2)).astype(np.float32)
    depth_m = keypoint_depths(flat(), keypoints_px, 6.0)
    assert depth_m.dtype == np.float32
    np.testing.assert_array_equal(depth_m, np.full(100, 2.0))


def test_the_pixel_under_a_keypoint_counts():
    ramp = flat() + 0.001 * np.arange(40, dtype=np.float32)
    found_m = keypoint_depths(ramp, np.array([[10.01, 15.0], [10.99, 15.0], [11.01, 15.0]]), 6.0)
    np.testing.assert_allclose(found_m, [2.010, 2.010, 2.011], atol=1e-6)


@pytest.mark.parametrize("keypoint_px", [(0.0, 0.0), (39.99, 29.99), (0.2, 29.5), (40.0, 30.0)])
def test_keypoints_at_the_border_have_a_depth(keypoint_px):
    assert keypoint_depths(flat(), np.array([keypoint_px]), 6.0).tolist() == [2.0]


def test_a_keypoint_on_an_edge_has_none():
    step = flat()
    step[:, 21:] = 3.0
    keypoints_px = np.array([[18.5, 15.5], [19.5, 15.5], [20.5, 15.5], [22.5, 15.5], [23.5, 15.5]])
    np.testing.assert_allclose(keypoint_depths(step, keypoints_px, 6.0), [2, 0, 0, 0, 3])


def test_a_slanted_wall_is_no_edge():
    slanted = flat() + 0.01 * np.arange(40, dtype=np.float32)
    assert keypoint_depths(slanted, CENTRE_PX, 6.0)[0] == pytest.approx(2.2, abs=0.001)


@pytest.mark.parametrize("unknown", [0.0, np.nan, -1.0])
def test_a_hole_takes_the_depth_around_it(unknown):
    holed = flat()
    holed[15, 20] = holed[14, 21] = unknown
    assert keypoint_depths(holed, CENTRE_PX, 6.0).tolist() == [2.0]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("unknown", [0.0, np.nan, -1.0, np.inf])
def test_nothing_known_around_a_keypoint_gives_none(unknown):
    assert keypoint_depths(flat(unknown), CENTRE_PX, 6.0).tolist() == [0.0]


def test_one_reading_is_enough():
    holed = flat(0.0)
    holed[15, 20] = 1.5
    assert keypoint_depths(holed, CENTRE_PX, 6.0).tolist() == [1.5]


def test_what_is_too_far_has_none():
    assert keypoint_depths(flat(6.0), CENTRE_PX, 6.0).tolist() == [6.0]
    assert keypoint_depths(flat(6.01), CENTRE_PX, 6.0).tolist() == [0.0]


def test_an_outlier_among_the_readings_is_an_edge():
    spiked = flat()
    spiked[16, 21] = 5.0
    assert keypoint_depths(spiked, CENTRE_PX, 6.0).tolist() == [0.0]


def test_no_keypoints_have_no_depths():
    assert keypoint_depths(flat(), np.zeros((0, 2)), 6.0).shape == (0,)


def test_far_readings_are_less_certain():
    sigmas_m = depth_sigmas(np.array([0.5, 1.0, 2.0, 4.0, 6.0], np.float32))
    assert sigmas_m.dtype == np.float32
    assert (np.diff(sigmas_m) > 0).all()
    assert 0.003 < sigmas_m[0] < 0.006
    assert 0.02 < sigmas_m[3] < 0.04
