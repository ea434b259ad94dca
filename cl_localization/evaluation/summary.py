"""Summary of an evaluation: median errors, percentages within bounds, latency.

`frames` is the number of frames with ground truth, `localized` the number of accepted poses among them. Medians are
over localized frames. Percentages are of `frames`: a rejected frame is within no bound. Bounds are closed (<=). Latency
percentiles are over all frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri

from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord, is_wrong
from cl_localization.geometry.se3 import difference

BOUNDS = ((0.05, 5.0), (0.10, 5.0), (0.20, 10.0))
"""The bounds of the percentages, in metres and degrees."""

POSE, POSITION, ROTATION = slice(0, 6), slice(0, 3), slice(3, 6)
"""Components of the error of a pose."""


@dataclass(frozen=True)
class EvaluationSummary:
    """The results of an evaluation, with units in their names; None without frames.

    `median_translation_extent_percent` is the median error in percent of `camera_extent_m`, the diagonal of the box
    around the true camera positions, for sequences that are not in metres. `inside_95_ellipsoid_percent` is the
    percentage of localized frames with their error inside the 95 % ellipsoid of the covariance.
    """

    frames: int
    localized: int
    median_translation_cm: float | None
    median_rotation_deg: float | None
    within_5cm_5deg_percent: float
    within_10cm_5deg_percent: float
    within_20cm_10deg_percent: float
    latency_ms_p50: float
    latency_ms_p95: float
    map_bytes: int
    codes: int
    wrong_accepted: int
    skipped: int
    without_pose: int
    camera_extent_m: float
    median_translation_extent_percent: float | None
    inside_95_ellipsoid_percent: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the values by name, for JSON."""
        return dict(vars(self))

    def rows(self) -> list[tuple[str, str, str]]:
        """Return (metric, value, unit) of every value as text."""
        return [(metric, _text(number), unit) for name, number in vars(self).items()
                for metric, unit in [_metric_and_unit(name)]]


def summarize(records: Sequence[FrameRecord], map_bytes: int, codes: int, skipped: int = 0) -> EvaluationSummary:
    """Return the summary of an evaluation.

    Args:
        records: one per frame.
        map_bytes, codes: size of the map.
        skipped: number of frames that could not be read.

    Raises:
        DataError: no frame has ground truth.
    """
    posed = [record for record in records if record.true_world_T_cam is not None]
    if not posed:
        raise DataError("evaluation", "needs frames with ground truth", f"{len(records)} frames, none with a pose",
                        "use `localize` for sequences without poses")
    localized = [record for record in posed if record.accepted]
    errors = np.array([(record.translation_error_m, record.rotation_error_deg) for record in localized]).reshape(-1, 2)
    median_m, median_deg = np.median(errors, axis=0).tolist() if len(errors) else (None, None)
    extent_m = camera_extent_m(np.array([record.true_world_T_cam[:3, 3] for record in posed
                                          if record.true_world_T_cam is not None]))
    p50_ms, p95_ms = (1e3 * np.percentile([record.latency_s for record in records], [50, 95])).tolist()
    within_5cm, within_10cm, within_20cm = (percent_within(errors, bound, len(posed)) for bound in BOUNDS)
    extent_percent = None if median_m is None or extent_m == 0 else 100 * median_m / extent_m
    return EvaluationSummary(
        frames=len(posed), localized=len(localized),
        median_translation_cm=None if median_m is None else 100 * median_m, median_rotation_deg=median_deg,
        within_5cm_5deg_percent=within_5cm, within_10cm_5deg_percent=within_10cm,
        within_20cm_10deg_percent=within_20cm, latency_ms_p50=p50_ms, latency_ms_p95=p95_ms, map_bytes=map_bytes,
        codes=codes, wrong_accepted=sum(is_wrong(*error) for error in errors.tolist()), skipped=skipped,
        without_pose=len(records) - len(posed), camera_extent_m=extent_m,
        median_translation_extent_percent=extent_percent,
        inside_95_ellipsoid_percent=inside_95_percent(*errors_and_covariances(localized)))


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


def percent_within(errors: np.ndarray, bound: tuple[float, float], frames: int) -> float:
    """Return the percentage of `frames` with errors (N, 2) [m, deg] within a closed bound."""
    return 100.0 * float((errors <= bound).all(axis=1).sum()) / frames


def camera_extent_m(positions_m: np.ndarray) -> float:
    """Return the diagonal of the bounding box of camera positions (N, 3)."""
    return float(np.linalg.norm(np.ptp(positions_m, axis=0)))


_UNITS = {"cm": "cm", "deg": "deg", "percent": "%", "bytes": "bytes", "m": "m"}


def _metric_and_unit(name: str) -> tuple[str, str]:
    """Split `latency_ms_p50` into ("latency p50", "ms") and `median_rotation_deg` into ("median rotation", "deg")."""
    if name.startswith("latency_ms"):
        return name.replace("_ms_", " "), "ms"
    if name.startswith("within_"):
        return name.removesuffix("_percent").replace("_", " "), "%"
    stem, _, last = name.rpartition("_")
    return (stem.replace("_", " "), _UNITS[last]) if last in _UNITS else (name.replace("_", " "), "")


def _text(number: float | int | None) -> str:
    """Return the text of a number in a table: four significant digits for a float, a dash for None."""
    if number is None:
        return "-"
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}" if abs(number) < 1000 else f"{number:.0f}"
