"""How much a learner forgets: the accuracy matrix of a stream of tasks, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cl_localization.errors import DataError


@dataclass(frozen=True, eq=False)
class AccuracyMatrix:
    """Accuracy after each task on each task.

    Attributes:
        tasks: names in the order they were learned.
        percent: (T, T) row i, column j: accuracy on task j after learning task i; NaN where it was not measured.
    """

    tasks: tuple[str, ...]
    percent: np.ndarray

    def __post_init__(self) -> None:
        if self.percent.shape != (len(self.tasks),) * 2 or not self.tasks:
            raise DataError("accuracy matrix", f"must be {len(self.tasks)} x {len(self.tasks)}, at least 1 x 1", self.percent.shape)

    @property
    def average(self) -> float:
        """Mean accuracy over all tasks after the last one (Lopez-Paz and Ranzato 2017)."""
        return float(np.nanmean(self.percent[-1]))

    @property
    def forgetting(self) -> np.ndarray:
        """Best accuracy a task ever had before the end minus its last, (T - 1,), of all tasks but the last (Chaudhry et al. 2018)."""
        earlier = self.percent[:-1, :-1]
        return np.nanmax(np.where(np.isnan(earlier), -np.inf, earlier), axis=0, initial=-np.inf) - self.percent[-1, :-1]

    @property
    def backward_transfer(self) -> float:
        """Mean over all tasks but the last of the last accuracy minus the one when just learned; 0 for one task."""
        changes = self.percent[-1, :-1] - np.diag(self.percent)[:-1]
        return float(np.nanmean(changes)) if len(changes) else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return matrix and figures as JSON values."""
        rows = [[None if np.isnan(value) else float(value) for value in row] for row in self.percent]
        return {"tasks": list(self.tasks), "percent": rows, "average": self.average, "forgetting": self.forgetting.tolist(),
                "backward_transfer": self.backward_transfer}
