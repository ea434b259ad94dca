"""The figures of maps and evaluations that `plot` writes and `evaluate --html` shows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes

from cl_localization.evaluation.result_file import ErrorSeries
from cl_localization.viz.curves import draw_bound, draw_error_curve, draw_errors_over_time
from cl_localization.viz.style import ESTIMATE, PATH, TRUTH
from cl_localization.viz.top_view import draw_cameras, draw_codes, draw_path, fit_view, up_axis

ARROW_M = 0.12
CURVES, CURVES_OF_SEVERAL = 4, 2
"""Axes that `draw_errors` fills for one evaluation, and for several."""



def _no_codes() -> np.ndarray:
    return np.zeros((0, 3), np.float32)


def _no_poses() -> np.ndarray:
    return np.zeros((0, 4, 4))


@dataclass(frozen=True, eq=False)
class FromAbove:
    """What there is to be seen from above.

    Attributes:
        positions_m: (M, 3) of codes.
        keyframes: (K, 4, 4) of the map.
        paths: names and poses (N, 4, 4) of trajectories.
        evaluation: whose true path and accepted poses are drawn; None for none.
    """

    positions_m: np.ndarray = field(default_factory=_no_codes)
    keyframes: np.ndarray = field(default_factory=_no_poses)
    paths: tuple[tuple[str, np.ndarray], ...] = ()
    evaluation: ErrorSeries | None = None


def draw_from_above(axes: Axes, seen: FromAbove) -> None:
    """Draw codes, coloured by height, keyframes, paths, and where an evaluation found the camera."""
    paths = [(name, poses, f"C{number + 1}") for number, (name, poses) in enumerate(seen.paths)]
    found = _no_poses()
    if seen.evaluation is not None:
        paths.append(("truth", seen.evaluation.true_world_T_cam, TRUTH))
        found = seen.evaluation.world_T_cam[seen.evaluation.accepted]
    up = up_axis(np.concatenate([seen.keyframes, *(poses for _, poses, _ in paths)]))
    points = draw_codes(axes, seen.positions_m, up)
    if seen.evaluation is None:
        draw_cameras(axes, seen.keyframes, PATH, ARROW_M, f"{len(seen.keyframes)} keyframes", up)
    for name, poses, color in paths:
        draw_path(axes, poses[:, :3, 3], name, color, up)
    draw_cameras(axes, found, ESTIMATE, ARROW_M, f"{len(found)} accepted", up)
    drawn = [seen.keyframes, found, *(poses for _, poses, _ in paths)]
    fit_view(axes, seen.positions_m, [poses[:, :3, 3] for poses in drawn], up)
    axes.set_title(f"{len(seen.positions_m):,} codes from above")
    axes.legend(loc="upper right", fontsize=8)
    if points is not None:
        axes.figure.colorbar(points, ax=axes, label=f"{up} [m]", shrink=0.7)


def draw_errors(axes: list[Axes], series: list[ErrorSeries]) -> None:
    """Draw the share of frames within each error on the first two axes; of a single evaluation also the errors over
    time, on the next two."""
    for one in series:
        draw_error_curve(axes[0], one.translation_errors_cm[one.accepted], len(one.accepted), "cm", one.name)
        draw_error_curve(axes[1], one.rotation_errors_deg[one.accepted], len(one.accepted), "deg", one.name)
    draw_bound(axes[0], 5.0, "5 cm")
    draw_bound(axes[1], 5.0, "5 deg")
    if len(series) == 1:
        one = series[0]
        draw_errors_over_time(axes[2], one.times_s, one.translation_errors_cm, one.accepted, "cm")
        draw_errors_over_time(axes[3], one.times_s, one.rotation_errors_deg, one.accepted, "deg")
    for one_axes in axes:
        one_axes.legend(loc="best", fontsize=8)
