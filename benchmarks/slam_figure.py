"""The trajectories of the table of own poses, from above."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.slam_run import SlamRun
from cl_localization.viz.style import TRUTH, quiet
from cl_localization.viz.top_view import plane

COLUMNS, WIDTH_IN, HEIGHT_IN = 3, 4.2, 3.8
COLOURS = ("#0072b2", "#d55e00", "#cc79a7")


def draw_trajectories(runs: Sequence[SlamRun], path: Path) -> None:
    """Write a figure with the true and the found way of every run that has enough poses to be laid over the truth; runs
    of the same frames, "NAME: PEER", share a panel."""
    panels: dict[str, list[SlamRun]] = {}
    for run in runs:
        if len(run.found_m):
            panels.setdefault(run.name.split(": ")[0], []).append(run)
    columns = min(max(len(panels), 1), COLUMNS)
    rows = max(-(-len(panels) // columns), 1)
    figure = Figure(figsize=(columns * WIDTH_IN, rows * HEIGHT_IN), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for one in axes.flat[len(panels):]:
        one.set_axis_off()
    for one, (name, members) in zip(axes.flat, panels.items()):
        first, second = _widest_plane(members[0].true_m)
        quiet(one).set_aspect("equal")
        one.plot(*members[0].true_m[:, [first, second]].T, color=TRUTH, linewidth=2.5, label="truth")
        for run, colour in zip(members, COLOURS):
            label = run.name.split(": ")[1] if ": " in run.name else "own poses"
            one.plot(*run.found_m[:, [first, second]].T, color=colour, linewidth=1,
                     label=f"{label}, {run.rmse_cm:.1f} cm")
        one.set_title(name, fontsize=9)
        one.set_xlabel(f"{'xyz'[first]} [m]")
        one.set_ylabel(f"{'xyz'[second]} [m]")
        one.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=110)


def _widest_plane(positions_m: np.ndarray) -> tuple[int, int]:
    """Return the two axes along which positions (N, 3) extend most."""
    return plane("xyz"[int(np.argmin(np.ptp(positions_m, axis=0)))])
