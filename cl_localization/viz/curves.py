"""Plots error curves of evaluations."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cl_localization.viz.style import ESTIMATE, FAINT, INK, PATH, quiet

SMALLEST_SHOWN, LEAST_SCALE = {"cm": 0.01, "deg": 0.001}, 10.0
ERROR_LABELS = {"cm": "translation error [cm]", "deg": "rotation error [deg]"}


def draw_error_curve(axes: Axes, errors: np.ndarray, frames: int, unit: str, label: str) -> None:
    """Draw the share of frames within each error.

    Args:
        errors: (N,) of the localized frames, in `unit`.
        frames: number of all frames, including rejected ones.
        unit: "cm" or "deg".
        label: for the legend.
    """
    errors = np.sort(np.maximum(errors, SMALLEST_SHOWN[unit]))
    shares = 100.0 * np.arange(1, len(errors) + 1) / frames
    quiet(axes).step(errors, shares, where="post", label=label)
    axes.set_xscale("log")
    axes.set_ylim(0, 101)
    axes.set_xlabel(ERROR_LABELS[unit])
    axes.set_ylabel("frames within [%]")


def draw_errors_over_time(axes: Axes, times_s: np.ndarray, errors: np.ndarray, accepted: np.ndarray,
                          unit: str) -> None:
    """Draw the error of each frame; rejected frames are marks at the bottom.

    Args:
        times_s: (N,) of the frames.
        errors: (N,) in `unit`, NaN without an estimate.
        accepted: (N,) bool.
        unit: "cm" or "deg".
    """
    shown, rejected_s = np.maximum(errors, SMALLEST_SHOWN[unit]), times_s[~accepted]
    quiet(axes).plot(times_s[accepted], shown[accepted], ".", color=PATH, markersize=4, label="accepted")
    axes.plot(rejected_s, np.full(len(rejected_s), SMALLEST_SHOWN[unit]), "|", color=ESTIMATE, label="rejected")
    axes.set_yscale("log")
    axes.set_ylim(0.8 * SMALLEST_SHOWN[unit], 1.5 * max(np.nanmax(shown, initial=0.0), LEAST_SCALE))
    axes.set_xlabel("time [s]")
    axes.set_ylabel(ERROR_LABELS[unit])


def draw_bound(axes: Axes, value: float, text: str) -> None:
    """Draw a labelled vertical line at a bound."""
    axes.axvline(value, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(text, (value, 2), fontsize=7, color=INK, rotation=90, xytext=(2, 0), textcoords="offset points",
                  bbox={"fc": "white", "ec": FAINT, "pad": 0.8, "alpha": 0.8})
