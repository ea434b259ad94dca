"""Figures of learning without forgetting. Functions of axes and data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cl_localization.viz.style import new_figure, quiet

PANEL_IN, HEIGHT_IN = 5.0, 4.4


def draw_forgetting(percent: Mapping[str, np.ndarray], tasks: Sequence[str], bound: str) -> Figure:
    """Return a figure of several methods on one stream: accuracy on the first scene, and on all so far, after each
    scene.

    Args:
        percent: accuracy matrices (T, T) by method, NaN where nothing was measured: of methods that learn all at once
            only the end is.
        tasks: names of the scenes.
        bound: what a pose is within to count, for the labels.
    """
    figure = new_figure(2 * PANEL_IN, HEIGHT_IN)
    left, right = figure.subplots(1, 2, sharey=True)
    for name, matrix in percent.items():
        draw_line(left, matrix[:, 0], name)
        draw_line(right, np.array([row[:number + 1].mean() for number, row in enumerate(matrix)]), name)
    for axes, text in ((left, f"first scene ({tasks[0]})"), (right, "mean over scenes so far")):
        axes.set_xticks(range(len(tasks)), [f"+ {task}" if number else task for number, task in enumerate(tasks)],
                        fontsize=8)
        axes.set_ylim(-2, 102)
        axes.set_ylabel(f"{text}: poses within {bound} [%]", fontsize=8)
        axes.set_xlabel("learned so far", fontsize=8)
    right.legend(fontsize=8)
    return figure


def draw_line(axes: Axes, percent: np.ndarray, label: str) -> None:
    """Draw percents (T,) over the scenes; a single measured one as a mark."""
    alone = np.isfinite(percent).sum() == 1
    quiet(axes).plot(np.arange(len(percent)), percent, "*" if alone else "o-", label=label, linewidth=1.2,
                     markersize=9 if alone else 4)
