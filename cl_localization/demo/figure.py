"""The picture of a demo: the place from above with paths and kidnappings, what the camera saw, and the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cl_localization.viz.style import ACCENT, FAINT, INK, PATH, TRUTH, new_figure
from cl_localization.viz.top_view import draw_codes, draw_path, draw_places, fit_view, plane, up_axis

WIDTH_IN, WIDE_HEIGHT_IN, TALL_HEIGHT_IN = 12.0, 8.8, 6.6
WIDE_ASPECT = 1.5
"""Places that are wider than this, seen from above, take the whole width of the picture."""

ARROW_SHARE = 0.04
"""Length of the arrows of poses as a share of the view."""


@dataclass(frozen=True, eq=False)
class DemoPicture:
    """All that the picture shows; positions in metres of the map frame.

    Attributes:
        codes_m: (M, 3) positions of the codes.
        mapping_path: (N, 4, 4) true camera poses while mapping.
        tracking_truth, tracking_estimates: (T, 4, 4) camera poses of the live tracking; estimates NaN where none.
        places_truth, places_estimates: (P, 4, 4) where the robot was carried, and the pose trusted there or NaN.
        place_seconds: (P,) time to recover, NaN where it failed.
        overlay: (H, W, 3) uint8 image with marks, or None.
        overlay_title: what the image shows.
        results: (metric, value with unit) lines.
        title: of the picture.
    """

    codes_m: np.ndarray
    mapping_path: np.ndarray
    tracking_truth: np.ndarray
    tracking_estimates: np.ndarray
    places_truth: np.ndarray
    places_estimates: np.ndarray
    place_seconds: np.ndarray
    overlay: np.ndarray | None = None
    overlay_title: str = ""
    results: Sequence[tuple[str, str]] = field(default=())
    title: str = ""


def demo_figure(picture: DemoPicture) -> Figure:
    """Return the figure of a demo."""
    if is_wide(picture):
        figure = new_figure(WIDTH_IN, WIDE_HEIGHT_IN)
        grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.25], height_ratios=[1.5, 1])
        house, overlay, results = grid[0, :], grid[1, 0], grid[1, 1]
    else:
        figure = new_figure(WIDTH_IN, TALL_HEIGHT_IN)
        grid = figure.add_gridspec(2, 2, width_ratios=[1.35, 1], height_ratios=[1.25, 1])
        house, overlay, results = grid[:, 0], grid[0, 1], grid[1, 1]
    draw_house(figure.add_subplot(house), picture)
    draw_image(figure.add_subplot(overlay), picture.overlay, picture.overlay_title)
    draw_results(figure.add_subplot(results), picture.results)
    figure.suptitle(picture.title, color=INK, fontsize=14, fontweight="bold", x=0.02, ha="left")
    return figure


def is_wide(picture: DemoPicture) -> bool:
    """Whether the codes, or without any the paths, lie in an area much wider than it is deep."""
    up = up_axis(_all_poses(picture))
    seen_m = picture.codes_m if len(picture.codes_m) else _all_poses(picture)[:, :3, 3]
    extents_m = np.ptp(np.percentile(seen_m[:, list(plane(up))], [1, 99], axis=0), axis=0)
    return bool(extents_m[0] > WIDE_ASPECT * extents_m[1])


def _all_poses(picture: DemoPicture) -> np.ndarray:
    """Return all true poses (N, 4, 4)."""
    return np.concatenate([picture.mapping_path, picture.tracking_truth, picture.places_truth])


def draw_house(axes: Axes, picture: DemoPicture) -> None:
    """Draw the codes, the mapping path, the live tracking and the kidnappings from above."""
    up = up_axis(_all_poses(picture))
    points = draw_codes(axes, picture.codes_m, up)
    draw_path(axes, picture.mapping_path[:, :3, 3], "mapping", PATH, up)
    draw_path(axes, picture.tracking_truth[:, :3, 3], "live tracking (truth)", TRUTH, up, "--")
    estimates_m = picture.tracking_estimates[:, :3, 3]
    draw_path(axes, estimates_m[np.isfinite(estimates_m).all(axis=1)], "live tracking (estimate)", ACCENT, up, ".")
    fit_view(axes, picture.codes_m, [_all_poses(picture)[:, :3, 3]], up)
    size_m = ARROW_SHARE * float(np.ptp(axes.get_xlim()))
    if len(picture.places_truth):
        draw_places(axes, picture.places_truth, picture.places_estimates, size_m, up)
    axes.set_title(f"{len(picture.codes_m):,} codes from above", fontsize=10, color=INK)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, fontsize=9, frameon=False)
    if points is not None:
        colorbar = axes.figure.colorbar(points, ax=axes, label=f"height {up} [m]", shrink=0.6, pad=0.01)
        if colorbar.solids is not None:
            colorbar.solids.set_alpha(1)


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
