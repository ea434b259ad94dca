"""Poses and errors of an evaluation for figures, from its records or from the JSON file of `evaluate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cl_localization.data.stamps import NS_PER_S
from cl_localization.data.trajectory import poses_of
from cl_localization.errors import DataError

MAX_BYTES = 500_000_000


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
        if path.stat().st_size > MAX_BYTES:
            raise DataError(thing, f"must be smaller than {MAX_BYTES} bytes", path.stat().st_size)
        records = json.loads(path.read_text(encoding="utf-8"))["per_frame"]
        series = error_series(records, path.stem)
    except OSError as error:
        raise DataError(thing, "must be readable", error.strerror, remedy) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            thing, "must hold the records of an evaluation", f"{type(error).__name__}: {error}", remedy
        ) from error
    if len(series.accepted) == 0:
        raise DataError(thing, "must hold frames with ground truth", len(records), remedy)
    return series
