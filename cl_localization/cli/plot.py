"""`plot`: plots maps, trajectories and evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cl_localization.cli.flags import argument
from cl_localization.cli.tables import output_console, warn_of_parts
from cl_localization.errors import ConfigError

PANEL_IN, HEIGHT_IN, COLUMNS = 5.2, 4.2, 3


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Plot a map from above with its keyframes and trajectories, and the errors of evaluations, in one figure.

    Of one evaluation it shows what its HTML page shows: the true path and the accepted poses, the distribution of the
    errors, and the errors over time. Of several it compares the distributions.

    Example: cl_localization plot house.map --trajectories poses.txt --evaluations result.json --out house.png
    """

    map: Path | None = argument("Map file.", None, metavar="[MAP]", positional=True)
    trajectories: tuple[Path, ...] = argument("TUM trajectories to draw over the map.", (), metavar="POSES [POSES ...]")
    evaluations: tuple[Path, ...] = argument("JSON files of `evaluate`.", (), metavar="JSON [JSON ...]")
    out: Path = argument("Figure to write: .png, .pdf or .svg.", metavar="FIGURE", writes="file")


def run(arguments: Arguments) -> int:
    """Plot and write the figure; return the exit code."""
    if arguments.map is None and not arguments.trajectories and not arguments.evaluations:
        raise ConfigError("plot", "needs something to plot", remedy="give a map, --trajectories or --evaluations")

    from cl_localization.cli.figures import CURVES, CURVES_OF_SEVERAL, draw_errors, draw_from_above
    from cl_localization.data.trajectory import read_trajectory
    from cl_localization.evaluation.result_file import read_errors
    from cl_localization.map.map_file import load_map
    from cl_localization.viz.style import new_figure, save_figure

    series = [read_errors(path) for path in arguments.evaluations]
    from_above = arguments.map is not None or bool(arguments.trajectories) or len(series) == 1
    panels = int(from_above) + (CURVES if len(series) == 1 else CURVES_OF_SEVERAL if series else 0)
    rows = 1 + (panels > COLUMNS)
    columns = -(-panels // rows)
    figure = new_figure(PANEL_IN * columns, HEIGHT_IN * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for unused in axes[panels:]:
        unused.set_axis_off()
    if from_above:
        map_code = None if arguments.map is None else load_map(arguments.map)
        if map_code is not None:
            warn_of_parts(arguments.map, map_code)
        trajectories = [(path.stem, read_trajectory(path).poses) for path in arguments.trajectories]
        draw_from_above(axes[0], map_code, trajectories, series[0] if len(series) == 1 else None)
    if series:
        draw_errors(axes[int(from_above):panels], series)
    save_figure(figure, arguments.out)
    output_console().print(f"figure {arguments.out}")
    return 0
