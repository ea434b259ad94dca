"""The common style of all figures, and saving without a display."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, FAINT = "#20262e", "#d5dae1"
TRUTH, ESTIMATE, PATH, ACCENT = "#2a9d5c", "#d1495b", "#30638e", "#edae49"
DOTS_PER_INCH = 150
TOP_VIEW_POINTS = 60_000
"""Largest number of points in a figure, which limits the size of PDF files; more are thinned."""


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return a figure that needs no display and does not use matplotlib's global state."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def quiet(axes: Axes) -> Axes:
    """Return axes with a light grid and without a box around them."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8)
    return axes


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure atomically, in the format of the path's suffix (.png, .pdf, .svg), and return the path.

    Raises:
        DataError: the format is unknown or the file cannot be written.
    """
    from cl_localization.data.atomic import written_file
    from cl_localization.errors import DataError

    known = figure.canvas.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        raise DataError(f"figure {path}", f"must end in one of {', '.join(sorted(known))}", path.suffix or "no ending")
    with written_file(path, force=True) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH, format=path.suffix[1:].lower())
    return path
