"""Figures of place recognition. Functions of axes and data."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cl_localization.research.seqmatchnet.recall import PlaceMatches, precision_recall
from cl_localization.viz.style import ESTIMATE, FAINT, TRUTH, new_figure, quiet

PANEL_IN, HEIGHT_IN = 5.2, 4.2


def draw_places(matches: dict[int, PlaceMatches], radius: float) -> Figure:
    """Return a figure of the matches of several sequence lengths: precision and recall of all, the matches of the last.

    Args:
        radius: how near a match must be to be right.
    """
    figure = new_figure(2 * PANEL_IN, HEIGHT_IN)
    left, right = figure.subplots(1, 2)
    for length, found in matches.items():
        draw_precision_recall(left, found, radius, f"sequence length {length}")
    left.legend(loc="lower left", fontsize=8)
    draw_matches(right, list(matches.values())[-1], radius)
    return figure


def draw_precision_recall(axes: Axes, matches: PlaceMatches, radius: float, label: str) -> None:
    """Draw precision over recall as ever larger distances are trusted."""
    precision, recall, _ = precision_recall(matches, radius)
    quiet(axes).plot(100 * recall, 100 * precision, label=label, linewidth=1.2)
    axes.set_xlim(0, 101)
    axes.set_ylim(0, 101)
    axes.set_xlabel(f"recall within {radius:g} [%]")
    axes.set_ylabel("precision [%]")


def draw_matches(axes: Axes, matches: PlaceMatches, radius: float) -> None:
    """Draw the best database image of each query, right ones and wrong ones in their own colours."""
    right = matches.error[:, 0] <= radius
    quiet(axes).plot(matches.queries, matches.queries, color=FAINT, linewidth=0.8, zorder=0)
    for chosen, color, label in ((right, TRUTH, "right"), (~right & (matches.found[:, 0] >= 0), ESTIMATE, "wrong")):
        axes.plot(matches.queries[chosen], matches.found[chosen, 0], ".", color=color, markersize=3,
                  label=f"{label}: {int(chosen.sum())} of {len(right)}")
    axes.set_xlabel("query [image number]")
    axes.set_ylabel("best match [database image number]")
    axes.legend(loc="upper left", fontsize=8)
