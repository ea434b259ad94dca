"""Forgetting: the accuracy matrix of a stream of tasks, and its metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cl_localization.errors import DataError


@dataclass(frozen=True, eq=False)
class AccuracyMatrix:
    """Accuracy on each task after each task.

    Attributes:
        tasks: names in the order of learning.
        percent: (T, T) row i, column j: accuracy on task j after learning task i; NaN if not measured.
    """

    tasks: tuple[str, ...]
    percent: np.ndarray

    def __post_init__(self) -> None:
        if self.percent.shape != (len(self.tasks),) * 2 or not self.tasks:
            raise DataError("accuracy matrix", f"must be {len(self.tasks)} x {len(self.tasks)}, at least 1 x 1",
                            self.percent.shape)

    @property
    def average(self) -> float:
        """Mean accuracy over all tasks after the last one (Lopez-Paz and Ranzato 2017)."""
        return float(np.nanmean(self.percent[-1]))

    @property
    def forgetting(self) -> np.ndarray:
        """Best earlier accuracy minus the final one, (T - 1,), for all tasks but the last (Chaudhry et al. 2018).

        NaN for a task without an earlier measurement, as in joint training.
        """
        earlier = self.percent[:-1, :-1]
        best = np.max(np.where(np.isnan(earlier), -np.inf, earlier), axis=0, initial=-np.inf)
        return np.where(np.isfinite(best), best, np.nan) - self.percent[-1, :-1]

    @property
    def backward_transfer(self) -> float:
        """Mean over all tasks but the last of the final accuracy minus that right after learning; 0 for one task.

        NaN if none was measured right after learning.
        """
        changes = self.percent[-1, :-1] - np.diag(self.percent)[:-1]
        measured = changes[np.isfinite(changes)]
        return 0.0 if len(changes) == 0 else float(measured.mean()) if len(measured) else float("nan")

    @classmethod
    def mean(cls, matrices: Sequence[AccuracyMatrix]) -> AccuracyMatrix:
        """Return the mean of one or more matrices of the same tasks, e.g. with different seeds."""
        return cls(matrices[0].tasks, np.mean([each.percent for each in matrices], axis=0))

    def to_json(self) -> dict[str, Any]:
        """Return the matrix and its metrics as JSON values."""
        return {"tasks": list(self.tasks), "percent": [_values(row) for row in self.percent], "average": self.average,
                "forgetting": _values(self.forgetting), "backward_transfer": _values([self.backward_transfer])[0]}


def _values(numbers: Iterable[float]) -> list[float | None]:
    """Return numbers as JSON values: None for NaN."""
    return [None if np.isnan(number) else float(number) for number in numbers]
