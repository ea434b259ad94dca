"""The picture of a demo: the place from above with paths and kidnappings, what the camera saw, and the results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cl_localization.demo.report import result_rows
from cl_localization.demo.result import DemoResult
from cl_localization.viz.style import ACCENT, FAINT, INK, PATH, TRUTH, new_figure
from cl_localization.viz.top_view import draw_codes, draw_path, draw_places, fit_view, plane, up_axis

WIDTH_IN, WIDE_HEIGHT_IN, TALL_HEIGHT_IN = 12.0, 8.8, 6.6
WIDE_ASPECT = 1.5
"""Places that are wider than this, seen from above, take the whole width of the picture."""

ARROW_SHARE = 0.04
"""Length of the arrows of poses as a share of the view."""

NOWHERE = np.full((4, 4), np.nan)


def demo_figure(result: DemoResult, data: str) -> Figure:
    """Return the figure of a demo.

    Args:
        data: the recorded sequence; empty for the simulated house.
    """
    if is_wide(result):
        figure = new_figure(WIDTH_IN, WIDE_HEIGHT_IN)
        grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.25], height_ratios=[1.5, 1])
        house, overlay, results = grid[0, :], grid[1, 0], grid[1, 1]
    else:
        figure = new_figure(WIDTH_IN, TALL_HEIGHT_IN)
        grid = figure.add_gridspec(2, 2, width_ratios=[1.35, 1], height_ratios=[1.25, 1])
        house, overlay, results = grid[:, 0], grid[0, 1], grid[1, 1]
    draw_house(figure.add_subplot(house), result)
    draw_image(figure.add_subplot(overlay), result.overlay, "live: what the camera sees, rings are recognised codes")
    draw_results(figure.add_subplot(results), [(what, value) for what, value, _, _ in result_rows(result)])
    place = "a recorded place" if data else "two rooms"
    outcome = "knows where it is again" if result.worked else "does not always know where it is"
    figure.suptitle(f"A robot maps {place}, is carried away {len(result.places)} times, and {outcome}", color=INK,
                    fontsize=14, fontweight="bold", x=0.02, ha="left")
    return figure


def is_wide(result: DemoResult) -> bool:
    """Whether the codes, or without any the paths, lie in an area much wider than it is deep."""
    true_poses = _true_poses(result)
    seen_m = result.map_points_m if len(result.map_points_m) else true_poses[:, :3, 3]
    flat_m = seen_m[:, list(plane(up_axis(true_poses)))]
    extents_m = np.ptp(np.percentile(flat_m, [1, 99], axis=0), axis=0)
    return bool(extents_m[0] > WIDE_ASPECT * extents_m[1])


def draw_house(axes: Axes, result: DemoResult) -> None:
    """Draw the codes, the mapping path, the live tracking and the kidnappings from above."""
    true_poses, codes_m = _true_poses(result), result.map_points_m
    up = up_axis(true_poses)
    points = draw_codes(axes, codes_m, up)
    draw_path(axes, result.mapping_path[:, :3, 3], "mapping", PATH, up)
    draw_path(axes, result.tracking_truth[:, :3, 3], "live tracking (truth)", TRUTH, up, "--")
    tracked = stacked([estimate.estimate for estimate in result.tracking])
    draw_path(axes, tracked[:, :3, 3], "live tracking (estimate)", ACCENT, up, ".")
    fit_view(axes, codes_m, [true_poses[:, :3, 3]], up)
    if result.places:
        found = stacked([NOWHERE if place.estimate is None else place.estimate for place in result.places])
        size_m = ARROW_SHARE * float(np.ptp(axes.get_xlim()))
        draw_places(axes, stacked([place.truth for place in result.places]), found, size_m, up)
    axes.set_title(f"{len(codes_m):,} codes from above", fontsize=10, color=INK)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, fontsize=9, frameon=False)
    if points is not None:
        colorbar = axes.figure.colorbar(points, ax=axes, label=f"height {up} [m]", shrink=0.6, pad=0.01)
        if colorbar.solids is not None:
            colorbar.solids.set_alpha(1)


def _true_poses(result: DemoResult) -> np.ndarray:
    """Return all true poses (N, 4, 4)."""
    return np.concatenate([result.mapping_path, result.tracking_truth,
                           stacked([place.truth for place in result.places])])


def stacked(poses: list[np.ndarray]) -> np.ndarray:
    """Return poses as one (N, 4, 4) array, also when there are none."""
    return np.array(poses, float).reshape(-1, 4, 4)


def draw_image(axes: Axes, image: np.ndarray | None, title: str) -> None:
    """Show an image (H, W, 3) uint8 under its title, without ticks; only the title if there is none."""
    axes.axis("off")
    axes.set_title(title, fontsize=10, color=INK)
    if image is not None:
        axes.imshow(image, interpolation="lanczos")


def draw_results(axes: Axes, results: Sequence[tuple[str, str]]) -> None:
    """Write (metric, value) lines as a small table."""
    axes.axis("off")
    if not results:
        return
    cells = [list(line) for line in results]
    table = axes.table(cells, cellLoc="left", colWidths=[0.46, 0.54], loc="upper left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(10)
    table.scale(1, 1.4)
    for cell in table.get_celld().values():
        cell.set_edgecolor(FAINT)
        cell.set_text_props(color=INK)
