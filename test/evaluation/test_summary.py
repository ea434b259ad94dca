from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord, make_record
from cl_localization.evaluation.summary import camera_extent_m, percent_within, summarize

CONTRACT = [
    "frames",
    "localized",
    "median_translation_cm",
    "median_rotation_deg",
    "within_5cm_5deg_percent",
    "within_10cm_5deg_percent",
    "within_20cm_10deg_percent",
    "latency_ms_p50",
    "latency_ms_p95",
    "map_bytes",
    "codes",
]


def pose(x_m: float = 0.0, yaw_deg: float = 0.0) -> np.ndarray:
    """A camera at (x, 0, 0), turned about z."""
    c, s = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    return np.array([[c, -s, 0, x_m], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)


def record(
    error_m: float = 0.0,
    error_deg: float = 0.0,
    accepted: bool = True,
    latency_s: float = 0.02,
    at_m: float = 0.0,
    posed: bool = True,
) -> FrameRecord:
    """A frame at x = at_m whose estimate is off by error_m and error_deg."""
    result = SimpleNamespace(accepted=accepted, reason="ok" if accepted else "too few inliers", inliers=50,
                             world_T_cam=pose(at_m + error_m, error_deg), covariance=1e-4 * np.eye(6), scene="kitchen")
    return make_record("frame", 1, result, latency_s, pose(at_m) if posed else None)


def test_the_keys_of_the_contract_come_first_and_in_order() -> None:
    assert list(summarize([record()], 10, 3).to_json())[:len(CONTRACT)] == CONTRACT


def test_medians_are_over_localized_frames_only() -> None:
    records = [record(0.01, 1), record(0.03, 3), record(0.02, 2), record(5.0, 90, accepted=False)]
    summary = summarize(records, 0, 0)
    assert summary.localized == 3
    assert summary.median_translation_cm == pytest.approx(2.0)
    assert summary.median_rotation_deg == pytest.approx(2.0)


def test_a_refused_frame_is_within_no_bound_however_right_it_was() -> None:
    summary = summarize([record(), record(accepted=False)], 0, 0)
    assert summary.within_5cm_5deg_percent == 50.0


def test_bounds_are_closed_and_ask_for_both_errors() -> None:
    errors = np.array([[0.05, 5.0], [0.050001, 0.0], [0.0, 5.001]])
    assert percent_within(errors, (0.05, 5.0), 3) == pytest.approx(100 / 3)


def test_shares_are_of_frames_with_a_true_pose() -> None:
    summary = summarize([record(), record(posed=False)], 0, 0, skipped=4)
    assert (summary.frames, summary.without_pose, summary.skipped) == (1, 1, 4)
    assert summary.within_20cm_10deg_percent == 100.0


def test_wrong_accepted_poses_are_counted() -> None:
    records = [record(0.51), record(0.0, 11), record(0.49, 9), record(9.0, accepted=False)]
    assert summarize(records, 0, 0).wrong_accepted == 2


def test_the_median_error_is_also_given_as_a_share_of_the_cameras_extent() -> None:
    summary = summarize([record(0.02, at_m=0.0), record(0.02, at_m=4.0)], 0, 0)
    assert summary.camera_extent_m == pytest.approx(4.0)
    assert summary.median_translation_extent_percent == pytest.approx(0.5)


def test_nothing_localized_gives_nulls_not_nan() -> None:
    summary = summarize([record(accepted=False)], 7, 0)
    assert summary.median_translation_cm is None and summary.median_translation_extent_percent is None
    assert summary.inside_95_ellipsoid_percent is None
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["median_rotation_deg"] is None


def test_latency_percentiles_are_over_all_frames() -> None:
    records = [record(latency_s=0.001 * number, accepted=number > 50) for number in range(101)]
    summary = summarize(records, 0, 0)
    assert (summary.latency_ms_p50, summary.latency_ms_p95) == (pytest.approx(50), pytest.approx(95))


def test_an_evaluation_without_true_poses_is_an_error() -> None:
    with pytest.raises(DataError, match="needs frames with ground truth, found 1 frames"):
        summarize([record(posed=False)], 0, 0)


def test_table_and_json_hold_the_same_numbers_with_units() -> None:
    summary = summarize([record(0.01, 0.5)], 1234567, 89)
    rows = summary.rows()
    assert len(rows) == len(summary.to_json())
    assert ("median translation", "1", "cm") in rows
    assert ("latency p50", "20", "ms") in rows
    assert ("within 5cm 5deg", "100", "%") in rows
    assert ("map", "1,234,567", "bytes") in rows
    assert ("inside 95 ellipsoid", "100", "%") in rows


def test_a_record_turns_into_json_with_seven_number_poses() -> None:
    values = record(0.5).to_json()
    assert values["true_world_T_cam"] == [0, 0, 0, 0, 0, 0, 1]
    assert values["world_T_cam"][0] == pytest.approx(0.5)
    assert np.shape(values["covariance"]) == (6, 6)
    assert json.dumps(values, allow_nan=False)


def test_a_record_without_an_estimate_has_no_errors() -> None:
    result = SimpleNamespace(accepted=False, reason="no matches", inliers=0, world_T_cam=None,
                             covariance=None, scene="")
    made = make_record("frame", 1, result, 0.1, pose())
    assert made.translation_error_m is None and made.to_json()["world_T_cam"] is None


def test_one_place_has_no_extent() -> None:
    assert camera_extent_m(np.ones((3, 3))) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 30), st.booleans()), min_size=1, max_size=30))
def test_wider_bounds_never_hold_fewer_frames(errors: list[tuple[float, float, bool]]) -> None:
    summary = summarize([record(m, deg, accepted) for m, deg, accepted in errors], 0, 0)
    shares = [summary.within_5cm_5deg_percent, summary.within_10cm_5deg_percent, summary.within_20cm_10deg_percent]
    assert shares == sorted(shares)
    assert shares[-1] <= 100 * summary.localized / summary.frames + 1e-9
