"""The figures of maps and evaluations that `plot` writes and `evaluate --html` shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from cl_localization.evaluation.result_file import ErrorSeries
from cl_localization.viz.curves import draw_bound, draw_error_curve, draw_errors_over_time
from cl_localization.viz.style import ESTIMATE, PATH, TRUTH
from cl_localization.viz.top_view import draw_cameras, draw_codes, draw_path, fit_view, up_axis

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode

ARROW_M = 0.12
CURVES, CURVES_OF_SEVERAL = 4, 2
"""Axes that `draw_errors` fills for one evaluation, and for several."""


def draw_from_above(axes: Axes, map_code: MapCode | None, trajectories: Sequence[tuple[str, np.ndarray]] = (),
                    evaluation: ErrorSeries | None = None) -> None:
    """Draw codes, coloured by height, keyframes, paths, and where an evaluation found the camera.

    Args:
        trajectories: names and poses (N, 4, 4).
        evaluation: whose true path and accepted poses are drawn, in place of the keyframes.
    """
    positions_m = np.zeros((0, 3)) if map_code is None else map_code.positions_m
    keyframes = np.zeros((0, 4, 4)) if map_code is None else map_code.keyframe_world_T_cam
    paths = [(name, poses, f"C{number + 1}") for number, (name, poses) in enumerate(trajectories)]
    found = np.zeros((0, 4, 4))
    if evaluation is not None:
        paths.append(("truth", evaluation.true_world_T_cam, TRUTH))
        found = evaluation.world_T_cam[evaluation.accepted]
    up = up_axis(np.concatenate([keyframes, *(poses for _, poses, _ in paths)]))
    points = draw_codes(axes, positions_m, up)
    if evaluation is None:
        draw_cameras(axes, keyframes, PATH, ARROW_M, f"{len(keyframes)} keyframes", up)
    for name, poses, color in paths:
        draw_path(axes, poses[:, :3, 3], name, color, up)
    draw_cameras(axes, found, ESTIMATE, ARROW_M, f"{len(found)} accepted", up)
    drawn = [keyframes, found, *(poses for _, poses, _ in paths)]
    fit_view(axes, positions_m, [poses[:, :3, 3] for poses in drawn], up)
    axes.set_title(f"{len(positions_m):,} codes from above")
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
