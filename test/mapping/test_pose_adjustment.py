"""Whether given poses are exact, told from how far matches lie from their epipolar lines."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.geometry.triangulation import Observations
from cl_localization.mapping.pose_adjustment import (
    ENOUGH_MATCHES,
    EXACT_MEDIAN_PX,
    POINTS_PER_VIEW,
    RANGE_PX,
    EpipolarScatter,
    sampled,
)


def scatter_of(sigma_px: float, right: int = 20000, wrong: int = 0) -> EpipolarScatter:
    random, scatter = np.random.default_rng(0), EpipolarScatter()
    scatter.add(np.abs(random.normal(scale=sigma_px, size=right)))
    scatter.add(random.uniform(0, RANGE_PX, wrong))
    return scatter


@pytest.mark.parametrize("wrong", [0, 20000])
def test_the_median_is_that_of_right_matches(wrong):
    assert scatter_of(2.0, wrong=wrong).median_px() == pytest.approx(0.6745 * 2.0, rel=0.06)


def test_keypoints_alone_leave_poses_exact():
    assert scatter_of(EXACT_MEDIAN_PX / 0.7).pose_sigma_px() == 0


def test_poses_that_are_off_are_told_by_how_much():
    keypoint_px, pose_px = EXACT_MEDIAN_PX / 0.6745, 3.0
    found_px = scatter_of(float(np.hypot(keypoint_px, np.sqrt(2) * pose_px))).pose_sigma_px()
    assert found_px == pytest.approx(pose_px, rel=0.1)


def test_few_matches_tell_nothing():
    assert scatter_of(1.0, right=ENOUGH_MATCHES // 2).pose_sigma_px() is None


def test_each_view_keeps_the_points_that_most_views_see():
    points, views = 3 * POINTS_PER_VIEW, 4
    of_point = np.repeat(np.arange(points), np.where(np.arange(points) < POINTS_PER_VIEW, views, 1))
    starts = np.r_[0, np.cumsum(np.bincount(of_point))][of_point]
    view = np.arange(len(of_point)) - starts
    seen = Observations(of_point, np.zeros((len(view), 2)), np.tile(np.eye(4), (len(view), 1, 1)), np.ones(len(view)))
    kept, of_view, points_m = sampled(seen, view, np.arange(3.0 * points).reshape(-1, 3))
    np.testing.assert_array_equal(points_m[:, 0], 3.0 * np.arange(POINTS_PER_VIEW))
    np.testing.assert_array_equal(kept.point, of_point[of_point < POINTS_PER_VIEW])
    np.testing.assert_array_equal(of_view, view[of_point < POINTS_PER_VIEW])
