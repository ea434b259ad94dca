"""Calibration of covariances: the share of pose errors inside the 95 % ellipsoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri

from cl_localization.evaluation.records import FrameRecord
from cl_localization.geometry.se3 import difference

POSE, POSITION, ROTATION = slice(0, 6), slice(0, 3), slice(3, 6)


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

    def to_json(self) -> dict[str, Any]:
        """Return the values by name, for JSON."""
        return asdict(self)


def errors_and_covariances(records: Sequence[FrameRecord]) -> tuple[np.ndarray, np.ndarray]:
    """Return errors (N, 6) in world axes [m, rad] and covariances (N, 6, 6) of accepted poses with ground truth."""
    usable = [record for record in records
              if record.accepted and record.true_world_T_cam is not None and record.covariance is not None]
    errors = [difference(record.world_T_cam, record.true_world_T_cam) for record in usable
              if record.world_T_cam is not None and record.true_world_T_cam is not None]
    return np.array(errors).reshape(-1, 6), np.array([record.covariance for record in usable]).reshape(-1, 6, 6)


def inside_95_percent(errors: np.ndarray, covariances: np.ndarray, part: slice = POSE) -> float | None:
    """Return the percentage of errors inside the 95 % ellipsoid; None without errors.

    Args:
        errors: (N, 6) position [m] and rotation vector [rad].
        covariances: (N, 6, 6) of the errors.
        part: the components: POSE, POSITION or ROTATION.
    """
    if len(errors) == 0:
        return None
    chosen = errors[:, part]
    solved = np.linalg.solve(covariances[:, part, part], chosen[:, :, None])[:, :, 0]
    squared = (chosen * solved).sum(axis=1)
    return 100.0 * float(np.mean(squared <= chdtri(chosen.shape[1], 1 - 0.95)))


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
