"""Plots a map from above: codes, keyframes, paths and places, in metres in the map frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from cl_localization.errors import DataError
from cl_localization.viz.style import ESTIMATE, INK, PATH, TOP_VIEW_POINTS, TRUTH, quiet

CLIPPED_PERCENT = 0.5
"""Share of codes on each side that may lie outside the axes, so that outliers do not shrink the plot."""

POINT_SIZE = 1.8
"""Area of a code in the figure [square points]."""

PLANES = {"x": (1, 2), "y": (0, 2), "z": (0, 1)}
"""Indices of the two horizontal axes for each up axis."""


def up_axis(world_T_cams: np.ndarray) -> str:
    """Return the world axis, "x", "y" or "z", most parallel to the image vertical of camera poses (K, 4, 4).

    Hand-held sequences often have the first camera's axes, not z up. Without poses it is "z".
    """
    if len(world_T_cams) == 0:
        return "z"
    verticals = world_T_cams[:, :3, 1]
    return "xyz"[int(np.argmax(np.abs(verticals.mean(axis=0))))]


def draw_codes(axes: Axes, positions_m: np.ndarray, up: str = "z") -> PathCollection | None:
    """Draw codes (M, 3) from above, coloured by height; return the points, None if there are none.

    Raises:
        DataError: `up` is not x, y or z.
    """
    first, second = plane(up)
    quiet(axes).set_aspect("equal")
    axes.set_xlabel(f"{'xyz'[first]} [m]")
    axes.set_ylabel(f"{'xyz'[second]} [m]")
    if len(positions_m) == 0:
        return None
    shown = positions_m[:: 1 + len(positions_m) // TOP_VIEW_POINTS]
    height_m = shown[:, "xyz".index(up)]
    order = np.argsort(height_m)
    low, high = np.percentile(height_m, [2, 98])
    return axes.scatter(
        shown[order, first],
        shown[order, second],
        c=height_m[order],
        s=POINT_SIZE,
        cmap="viridis",
        linewidths=0,
        alpha=0.6,
        vmin=low,
        vmax=high,
        rasterized=True,
        zorder=1,
    )


def fit_view(axes: Axes, positions_m: np.ndarray, paths_m: Sequence[np.ndarray] = (), up: str = "z") -> None:
    """Set the limits of the axes so that nearly all codes (M, 3) and all paths (N, 3) are inside."""
    columns = plane(up)
    corners = (
        [np.percentile(positions_m[:, columns], [CLIPPED_PERCENT, 100 - CLIPPED_PERCENT], axis=0)]
        if len(positions_m)
        else []
    )
    corners += [np.array([path[:, columns].min(axis=0), path[:, columns].max(axis=0)]) for path in paths_m if len(path)]
    if not corners:
        return
    low, high = np.min(corners, axis=(0, 1)), np.max(corners, axis=(0, 1))
    margin = 0.03 * max(float((high - low).max()), 1e-3)
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)


def draw_path(
    axes: Axes, positions_m: np.ndarray, label: str, color: str = PATH, up: str = "z", style: str = "-"
) -> None:
    """Draw camera positions (N, 3) as a line."""
    first, second = plane(up)
    axes.plot(positions_m[:, first], positions_m[:, second], style, color=color, linewidth=1.4, label=label, zorder=3)


def draw_cameras(
    axes: Axes, world_T_cams: np.ndarray, color: str, size_m: float, label: str = "", up: str = "z"
) -> None:
    """Draw camera poses (N, 4, 4) as dots with arrows of length `size_m` along their optical axes."""
    if len(world_T_cams) == 0:
        return
    columns = list(plane(up))
    starts, ways = world_T_cams[:, columns, 3], size_m * world_T_cams[:, columns, 2]
    axes.quiver(*starts.T, *ways.T, color=color, angles="xy", scale_units="xy", scale=1, width=0.004, zorder=5)
    axes.scatter(starts[:, 0], starts[:, 1], s=14, color=color, label=label or None, zorder=6, linewidths=0)


def draw_places(
    axes: Axes, true_world_T_cams: np.ndarray, world_T_cams: np.ndarray, size_m: float, up: str = "z"
) -> None:
    """Draw numbered places: the true pose as a ring, the estimate as an arrow, and a line between the two.

    Args:
        true_world_T_cams: (N, 4, 4).
        world_T_cams: (N, 4, 4) estimates; NaN for none.
        size_m: length of the arrows.
    """
    columns = list(plane(up))
    true_m, found_m = true_world_T_cams[:, columns, 3], world_T_cams[:, columns, 3]
    found = np.isfinite(found_m).all(axis=1)
    for number, (truth_m, estimate_m) in enumerate(zip(true_m, found_m), start=1):
        axes.plot(*np.stack([truth_m, estimate_m]).T, color=INK, linewidth=0.8, zorder=4)
        axes.annotate(
            str(number),
            truth_m,
            xytext=(6, 6),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
            color=INK,
            zorder=8,
            bbox={"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        )
    draw_cameras(axes, true_world_T_cams, TRUTH, 1.6 * size_m, "", up)
    axes.scatter(
        true_m[:, 0], true_m[:, 1], s=110, facecolors="none", edgecolors=TRUTH, linewidths=1.8,
        label="kidnapped to (truth)", zorder=7
    )
    draw_cameras(axes, world_T_cams[found], ESTIMATE, size_m, "first trusted pose", up)


def plane(up: str) -> tuple[int, int]:
    """Return the indices of the two horizontal axes; raises DataError if `up` is not x, y or z."""
    if up not in PLANES:
        raise DataError("up axis", "must be x, y or z", repr(up))
    return PLANES[up]
