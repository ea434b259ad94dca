"""`plot`: plots maps, trajectories and evaluations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.flags import argument
from cl_localization.cli.outputs import require_writable
from cl_localization.cli.tables import output_console
from cl_localization.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cl_localization.evaluation.result_file import ErrorSeries

PANEL_IN, HEIGHT_IN = 5.2, 4.2
ARROW_M = 0.12


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Plot a map from above with its keyframes and trajectories, and the error curves of evaluations, in one figure.

    Example: cl_localization plot house.map --trajectories poses.txt --evaluations result.json --out house.png
    """

    map: Path | None = argument("Map file.", None, metavar="[MAP]", positional=True)
    trajectories: tuple[Path, ...] = argument("TUM trajectories to draw over the map.", (), metavar="POSES [POSES ...]")
    evaluations: tuple[Path, ...] = argument("JSON files of `evaluate`.", (), metavar="JSON [JSON ...]")
    out: Path = argument("Figure to write: .png, .pdf or .svg.", metavar="FIGURE")


def run(arguments: Arguments) -> int:
    """Plot and write the figure; return the exit code."""
    if arguments.map is None and not arguments.trajectories and not arguments.evaluations:
        raise ConfigError("plot", "needs something to plot", remedy="give a map, --trajectories or --evaluations")
    require_writable(arguments.out)

    from cl_localization.evaluation.result_file import read_errors
    from cl_localization.viz.style import new_figure, save_figure

    series = [read_errors(path) for path in arguments.evaluations]
    top_view = arguments.map is not None or bool(arguments.trajectories)
    panels = int(top_view) + (3 if len(series) == 1 else 2 if series else 0)
    figure = new_figure(PANEL_IN * panels, HEIGHT_IN)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    if top_view:
        draw_top_view(axes.pop(0), arguments)
    if series:
        draw_curves(axes, series)
    save_figure(figure, arguments.out)
    output_console().print(f"figure {arguments.out}")
    return 0


def draw_top_view(axes: Axes, arguments: Arguments) -> None:
    """Draw the map (if given), its keyframes and the trajectories from above."""
    import numpy as np

    from cl_localization.data.trajectory import read_trajectory
    from cl_localization.map.map_file import load_map
    from cl_localization.viz.style import PATH
    from cl_localization.viz.top_view import draw_cameras, draw_codes, draw_path, fit_view, up_axis

    paths = [read_trajectory(path).poses for path in arguments.trajectories]
    positions_m, keyframes = np.zeros((0, 3), np.float32), np.zeros((0, 4, 4))
    if arguments.map is not None:
        map_code = load_map(arguments.map)
        positions_m, keyframes = np.asarray(map_code.positions_m), np.asarray(map_code.keyframe_world_T_cam)
    up = up_axis(np.concatenate([keyframes, *paths]))
    points = draw_codes(axes, positions_m, up)
    draw_cameras(axes, keyframes, PATH, ARROW_M, f"{len(keyframes)} keyframes", up)
    for path, poses, number in zip(arguments.trajectories, paths, range(len(paths))):
        draw_path(axes, poses[:, :3, 3], path.stem, f"C{number + 1}", up)
    fit_view(axes, positions_m, [keyframes[:, :3, 3], *(poses[:, :3, 3] for poses in paths)], up)
    axes.set_title(f"{len(positions_m):,} codes from above")
    axes.legend(loc="upper right", fontsize=8)
    if points is not None:
        axes.figure.colorbar(points, ax=axes, label=f"{up} [m]", shrink=0.7)


def draw_curves(axes: list[Axes], series: list[ErrorSeries]) -> None:
    """Draw the share of frames within each error; for a single evaluation also the error of each frame."""
    from cl_localization.viz.curves import draw_bound, draw_error_curve, draw_errors_over_frames

    for one in series:
        draw_error_curve(axes[0], one.translation_errors_cm[one.accepted], len(one.accepted), "cm", one.name)
        draw_error_curve(axes[1], one.rotation_errors_deg[one.accepted], len(one.accepted), "deg", one.name)
    draw_bound(axes[0], 5.0, "5 cm")
    draw_bound(axes[1], 5.0, "5 deg")
    if len(series) == 1:
        draw_errors_over_frames(axes[2], series[0].translation_errors_cm, series[0].accepted)
    for one_axes in axes:
        one_axes.legend(loc="lower right", fontsize=8)
