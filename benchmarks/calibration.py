"""Calibration of covariances: stated and actual errors, and the share of errors inside the 95 % ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cl_localization.evaluation.records import FrameRecord
from cl_localization.evaluation.summary import (
    POSE,
    POSITION,
    ROTATION,
    errors_and_covariances,
    inside_95_percent,
)


@dataclass(frozen=True)
class Calibration:
    """Estimated and actual errors of accepted poses.

    Attributes:
        frames: number of accepted poses with ground truth.
        pose_percent, position_percent, rotation_percent: share of errors inside the 95 % ellipsoid of the covariance
            (6, 6) and of its two blocks (3, 3); 95 is perfect, 90 to 99 is calibrated.
        median_sigma_cm: median of the root of the trace of the position covariance.
        rms_error_cm: root mean square of the position error.
        median_sigma_deg, rms_error_deg: the same for the rotation.
    """

    frames: int
    pose_percent: float
    position_percent: float
    rotation_percent: float
    median_sigma_cm: float
    rms_error_cm: float
    median_sigma_deg: float
    rms_error_deg: float


def calibration(records: Sequence[FrameRecord]) -> Calibration | None:
    """Return the calibration of records; None if no accepted pose has ground truth."""
    errors, covariances = errors_and_covariances(records)
    if len(errors) == 0:
        return None
    inside = [inside_95_percent(errors, covariances, part) or 0.0 for part in (POSE, POSITION, ROTATION)]
    (sigma_m, rms_m), (sigma_rad, rms_rad) = (_stated_and_found(errors, covariances, part)
                                              for part in (POSITION, ROTATION))
    return Calibration(len(errors), inside[0], inside[1], inside[2], 100 * sigma_m, 100 * rms_m,
                       float(np.rad2deg(sigma_rad)), float(np.rad2deg(rms_rad)))


def _stated_and_found(errors: np.ndarray, covariances: np.ndarray, part: slice) -> tuple[float, float]:
    stated = np.sqrt(np.trace(covariances[:, part, part], axis1=1, axis2=2))
    return float(np.median(stated)), float(np.sqrt((errors[:, part] ** 2).sum(axis=1).mean()))
