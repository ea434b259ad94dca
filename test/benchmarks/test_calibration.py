from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.calibration import calibration
from cl_localization.evaluation.records import FrameRecord, make_record
from cl_localization.evaluation.summary import POSITION, ROTATION, errors_and_covariances, inside_95_percent
from cl_localization.geometry.se3 import rotation_from_vector

SIGMAS = np.array([0.02, 0.03, 0.01, 0.004, 0.006, 0.005])


def record(error: np.ndarray, stated: float = 1.0, accepted: bool = True, posed: bool = True) -> FrameRecord:
    """A frame whose estimate is off by position and rotation vector, and says how certain it is."""
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3], world_T_cam[:3, 3] = rotation_from_vector(error[3:]), error[:3]
    result = SimpleNamespace(accepted=accepted, reason="ok", inliers=50, world_T_cam=world_T_cam,
                             covariance=np.diag((stated * SIGMAS) ** 2), scene="kitchen")
    return make_record("frame", 1, result, 0.02, np.eye(4) if posed else None)


def records(stated: float = 1.0, count: int = 2000) -> list[FrameRecord]:
    return [record(SIGMAS * draw, stated) for draw in np.random.default_rng(0).normal(size=(count, 6))]


def test_true_covariances_hold_95_percent() -> None:
    found = calibration(records())
    assert [found.pose_percent, found.position_percent, found.rotation_percent] == pytest.approx([95] * 3, abs=1.5)
    assert found.median_sigma_cm == pytest.approx(found.rms_error_cm, rel=0.05)
    assert found.median_sigma_deg == pytest.approx(found.rms_error_deg, rel=0.05)
    assert found.frames == 2000


@pytest.mark.parametrize(("stated", "low", "high"), [(0.3, 0, 5), (3.0, 99.9, 100)])
def test_too_sure_and_too_shy_covariances_show(stated: float, low: float, high: float) -> None:
    assert low <= calibration(records(stated)).pose_percent <= high


def test_position_and_rotation_are_judged_alone_too() -> None:
    found = calibration([record(np.r_[10 * SIGMAS[:3], np.zeros(3)])])
    assert (found.pose_percent, found.position_percent, found.rotation_percent) == (0, 0, 100)


def test_only_accepted_poses_with_a_true_one_count() -> None:
    errors, covariances = errors_and_covariances([record(SIGMAS), record(SIGMAS, accepted=False),
                                                  record(SIGMAS, posed=False)])
    assert errors.shape == (1, 6) and covariances.shape == (1, 6, 6)
    np.testing.assert_allclose(errors[0], SIGMAS, atol=1e-9)


def test_without_errors_there_is_no_share() -> None:
    assert calibration([record(SIGMAS, accepted=False)]) is None
    for part in (POSITION, ROTATION):
        assert inside_95_percent(np.zeros((0, 6)), np.zeros((0, 6, 6)), part) is None
