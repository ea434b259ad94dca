"""The errors of an evaluation for plots, from its records or from the JSON file of `evaluate`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord

MAX_BYTES = 500_000_000


@dataclass(frozen=True, eq=False)
class ErrorSeries:
    """The errors of an evaluation, per frame.

    Attributes:
        name: stem of the file name.
        accepted: (N,) bool.
        translation_errors_cm, rotation_errors_deg: (N,) float64, NaN without an estimate.
    """

    name: str
    accepted: np.ndarray
    translation_errors_cm: np.ndarray
    rotation_errors_deg: np.ndarray


def error_series(records: list[FrameRecord], name: str) -> ErrorSeries:
    """Return the errors of records of frames with true poses."""
    numbers = np.array([[record.translation_error_m, record.rotation_error_deg] for record in records], float)
    accepted = np.array([record.accepted for record in records], bool)
    return ErrorSeries(name, accepted, 100 * numbers.reshape(-1, 2)[:, 0], numbers.reshape(-1, 2)[:, 1])


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
        posed = [record for record in records if record["true_world_T_cam"] is not None]
        numbers = np.array(
            [[record[key] for key in ("translation_error_m", "rotation_error_deg")] for record in posed], float
        )
        accepted = np.array([bool(record["accepted"]) for record in posed])
    except OSError as error:
        raise DataError(thing, "must be readable", error.strerror, remedy) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            thing, "must hold the records of an evaluation", f"{type(error).__name__}: {error}", remedy
        ) from error
    if not posed:
        raise DataError(thing, "must hold frames with ground truth", len(records), remedy)
    return ErrorSeries(path.stem, accepted, 100 * numbers[:, 0], numbers[:, 1])
