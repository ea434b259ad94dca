"""A row of the table of own poses."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from cl_localization.evaluation.trajectory_error import alignment, path_m, rmse

HEADERS = ("own poses", "path [m]", "frames", "posed", "position RMSE [cm]", "of the path [%]", "largest [cm]",
           "loops", "joined", "codes", "rate [Hz]")


@dataclass(frozen=True)
class SlamRun:
    """One row.

    Attributes:
        name: what was mapped from what.
        path_m: true length of the way.
        frames, posed: given, and of those posed in the part of the map that the first of them is in.
        rmse_cm, largest_cm: of their positions after rigid alignment, of a camera alone with scale; None where fewer
            than three were posed.
        loops, joined: closed, and parts of the map that became one with another.
        codes: in the map in the end.
        rate_hz: frames a second, decoding or rendering included.
        true_m, found_m: (P, 3) positions of the posed frames, the found ones laid over the true ones; for the figure.
    """

    name: str
    path_m: float
    frames: int
    posed: int
    rmse_cm: float | None
    largest_cm: float | None
    loops: int
    joined: int
    codes: int
    rate_hz: float | None
    true_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)), repr=False)
    found_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)), repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return all but the positions."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("true_m", "found_m")}

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        errors = ("-", "-", "-") if self.rmse_cm is None else (
            f"{self.rmse_cm:.2f}", f"{self.rmse_cm / self.path_m:.2f}", f"{self.largest_cm:.1f}")
        rate = "-" if self.rate_hz is None else f"{self.rate_hz:.1f}"
        return (self.name, f"{self.path_m:.1f}", str(self.frames), str(self.posed), *errors, str(self.loops),
                str(self.joined), f"{self.codes:,}" if self.codes else "-", rate)


def scored(name: str, true: dict[int, np.ndarray], posed: list[tuple[int, np.ndarray]], loops: int = 0,
           joined: int = 0, codes: int = 0, rate_hz: float | None = None, with_scale: bool = False) -> SlamRun:
    """Return a row from the true positions (3,) of all frames by their stamps, and the found ones of those posed, which
    are laid over each other rigidly or with scale."""
    true_m, found_m = np.array([true[stamp_ns] for stamp_ns, _ in posed]), np.array([found for _, found in posed])
    errors_m, laid_m = None, np.zeros((0, 3))
    if len(posed) >= 3:
        true_T_found = alignment(found_m, true_m, with_scale)
        laid_m = found_m @ true_T_found[:3, :3].T + true_T_found[:3, 3]
        errors_m = np.linalg.norm(laid_m - true_m, axis=1)
    return SlamRun(name, path_m(np.array(list(true.values()))), len(true), len(posed),
                   None if errors_m is None else 100 * rmse(errors_m),
                   None if errors_m is None else 100 * float(errors_m.max()), loops, joined, codes, rate_hz,
                   true_m.reshape(-1, 3), laid_m)


def all_of(name: str, runs: list[SlamRun]) -> SlamRun:
    """Return one row of several: sums, and the error over all posed frames, each laid over the truth by its own run."""
    errors_m = np.concatenate([np.linalg.norm(run.found_m - run.true_m, axis=1) for run in runs])
    rates = [run.rate_hz for run in runs if run.rate_hz is not None]
    return SlamRun(name, sum(run.path_m for run in runs), sum(run.frames for run in runs),
                   sum(run.posed for run in runs), 100 * rmse(errors_m) if len(errors_m) else None,
                   100 * float(errors_m.max()) if len(errors_m) else None, sum(run.loops for run in runs),
                   sum(run.joined for run in runs), sum(run.codes for run in runs),
                   float(np.median(rates)) if rates else None)
