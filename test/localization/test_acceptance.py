"""The rule that keeps wrong poses off tf: each reason, with its figure and its bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.config import PoseConfig
from cl_localization.localization.acceptance import accept_or_reject, reason_to_reject
from cl_localization.localization.result import Localization

CONFIG = PoseConfig(min_inliers=30, min_support=25.0, max_position_sigma_share=0.05)


def evidence(inliers: int = 100, support: float = 60.0, sigma_m: float = 0.01,
             covariance: np.ndarray | None = None) -> Localization:
    covariance = np.eye(6) * sigma_m**2 if covariance is None else covariance
    return Localization(world_T_cam=np.eye(4), covariance=covariance, inliers=inliers, matches=400,
                        inlier_ratio=float(np.sqrt(support / 400)), inlier_points_m=np.tile([0, 0, 2.0], (inliers, 1)))


def test_a_well_supported_pose_is_accepted():
    assert reason_to_reject(evidence(), CONFIG) is None


def test_bounds_are_good_enough():
    assert reason_to_reject(evidence(30, 25.000001, 0.0999), CONFIG) is None


def test_few_inliers_are_told():
    assert reason_to_reject(evidence(inliers=29), CONFIG) == "29 inliers, 30 needed"


def test_little_support_is_told():
    assert reason_to_reject(evidence(support=24.94), CONFIG) == "support 24.9, 25.0 needed"


def test_an_uncertain_position_is_told():
    assert reason_to_reject(evidence(sigma_m=0.25), CONFIG) == "position sigma 0.25 m, at most 0.1 m allowed"


def test_what_is_far_does_not_excuse_an_uncertain_position():
    near, far = np.tile([0, 0, 2.0], (10, 1)), np.tile([0, 0, 100.0], (90, 1))
    railing_and_city = replace(evidence(sigma_m=0.4), inlier_points_m=np.concatenate([near, far]))
    assert railing_and_city.viewing_distance_m == 100.0
    assert reason_to_reject(railing_and_city, CONFIG) == "position sigma 0.4 m, at most 0.316 m allowed"


@pytest.mark.parametrize("distance_m", [0.1, 2.0, 300.0])
def test_inliers_at_one_distance_tell_the_position_as_from_there(distance_m):
    found = replace(evidence(), inlier_points_m=np.tile([0, 0, distance_m], (100, 1)))
    assert found.telling_distance_m == pytest.approx(distance_m) == found.viewing_distance_m


def test_without_inliers_no_distance_is_known():
    assert np.isnan(Localization(world_T_cam=np.eye(4)).telling_distance_m)
    assert np.isnan(replace(evidence(), world_T_cam=None).telling_distance_m)


def test_the_least_certain_direction_counts():
    along = np.array([1.0, 2.0, 2.0]) / 3
    covariance = 1e-6 * np.eye(6)
    covariance[:3, :3] += 0.04 * np.outer(along, along)
    assert np.sqrt(np.diag(covariance)[:3]).max() < 0.14
    assert (reason_to_reject(evidence(covariance=covariance), CONFIG)
            == "position sigma 0.2 m, at most 0.1 m allowed")


@pytest.mark.parametrize("covariance", [np.full((6, 6), np.inf), np.full((6, 6), np.nan), -np.eye(6),
                                        np.diag(np.full(6, np.inf))],
                         ids=["infinite", "no number", "negative", "infinite variances"])
def test_a_covariance_that_makes_no_sense_is_a_reason(covariance):
    assert "position sigma" in reason_to_reject(evidence(covariance=covariance), CONFIG)


@given(st.integers(0, 200), st.floats(0, 200), st.floats(0, 1))
def test_only_what_meets_every_bound_is_accepted(inliers, support, sigma_m):
    accepted = reason_to_reject(evidence(inliers, support, sigma_m), CONFIG) is None
    at_a_bound = sigma_m == pytest.approx(0.1) or support == pytest.approx(25.0)
    assert accepted == (inliers >= 30 and support >= 25.0 and sigma_m <= 0.1) or at_a_bound


def test_no_pose_is_a_reason():
    assert reason_to_reject(Localization(keypoints=900, matches=400), CONFIG) == "no pose agrees with the matches"


def test_no_keypoints_are_a_reason():
    assert reason_to_reject(Localization(), CONFIG).startswith("no keypoints: ")


def test_the_verdict_is_written_into_the_result():
    accepted, rejected = (accept_or_reject(evidence(inliers), CONFIG) for inliers in (30, 29))
    assert (accepted.accepted, accepted.reason) == (True, "ok")
    assert (rejected.accepted, rejected.reason) == (False, "29 inliers, 30 needed")
