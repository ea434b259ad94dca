"""Poses and errors of an evaluation for figures, from its records or from the JSON file of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.files import read_json_object
from cl_localization.data.stamps import NS_PER_S
from cl_localization.data.trajectory import poses_of
from cl_localization.errors import DataError


@dataclass(frozen=True, eq=False)
class ErrorSeries:
    """The poses and errors of an evaluation, of each frame with a true pose.

    Attributes:
        name: stem of the file name.
        accepted: (N,) bool.
        translation_errors_cm, rotation_errors_deg: (N,) float64, NaN without an estimate.
        times_s: (N,) since the first frame.
        true_world_T_cam, world_T_cam: (N, 4, 4) poses; estimates are NaN where there is none.
    """

    name: str
    accepted: np.ndarray
    translation_errors_cm: np.ndarray
    rotation_errors_deg: np.ndarray
    times_s: np.ndarray
    true_world_T_cam: np.ndarray
    world_T_cam: np.ndarray


def error_series(records: list[dict[str, Any]], name: str) -> ErrorSeries:
    """Return the errors of records of frames, as `FrameRecord.to_json` makes them, that have true poses."""
    posed = [record for record in records if record["true_world_T_cam"] is not None]
    errors = np.array([[record["translation_error_m"], record["rotation_error_deg"]] for record in posed], float)
    errors_m, errors_deg = errors.reshape(-1, 2).T
    stamps_ns = np.array([record["stamp_ns"] for record in posed], np.int64)
    true_world_T_cam, world_T_cam = (
        poses_of(np.array([record[key] or [np.nan] * 7 for record in posed], float).reshape(-1, 7), f"{key} of {name}")
        for key in ("true_world_T_cam", "world_T_cam"))
    accepted = np.array([bool(record["accepted"]) for record in posed])
    return ErrorSeries(name, accepted, 100 * errors_m, errors_deg, (stamps_ns - stamps_ns[:1]) / NS_PER_S,
                       true_world_T_cam, world_T_cam)


def read_errors(path: Path) -> ErrorSeries:
    """Return the per-frame errors in a result file.

    Raises:
        DataError: the file cannot be read, or has no records of frames with ground truth.
    """
    thing, remedy = f"evaluation {path}", "make it with `evaluate MAP SEQ --json FILE`"
    try:
        series = error_series(read_json_object(path)["per_frame"], path.stem)
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(thing, "must hold the records of an evaluation", f"{type(error).__name__}: {error}",
                        remedy) from error
    if len(series.accepted) == 0:
        raise DataError(thing, "must hold frames with ground truth", "none", remedy)
    return series
