"""Plots error curves of evaluations."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cl_localization.viz.style import ESTIMATE, FAINT, INK, PATH, quiet

SMALLEST_SHOWN = {"cm": 0.1, "deg": 0.01}


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
    axes.set_xlabel(f"{'translation' if unit == 'cm' else 'rotation'} error [{unit}]")
    axes.set_ylabel("frames within [%]")


def draw_errors_over_frames(axes: Axes, translation_errors_cm: np.ndarray, accepted: np.ndarray) -> None:
    """Draw the translation error of each frame; rejected frames are marks at the bottom.

    Args:
        translation_errors_cm: (N,), NaN without an estimate.
        accepted: (N,) bool.
    """
    numbers = np.arange(len(accepted))
    shown = np.maximum(translation_errors_cm, SMALLEST_SHOWN["cm"])
    quiet(axes).plot(numbers[accepted], shown[accepted], ".", color=PATH, markersize=4, label="accepted")
    rejected = numbers[~accepted]
    axes.plot(rejected, np.full(len(rejected), SMALLEST_SHOWN["cm"]), "|", color=ESTIMATE, label="rejected")
    axes.set_yscale("log")
    axes.set_xlabel("frame")
    axes.set_ylabel("translation error [cm]")


def draw_bound(axes: Axes, value: float, text: str) -> None:
    """Draw a labelled vertical line at a bound."""
    axes.axvline(value, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(text, (value, 2), fontsize=7, color=INK, rotation=90, xytext=(2, 0), textcoords="offset points",
                  bbox={"fc": "white", "ec": FAINT, "pad": 0.8, "alpha": 0.8})
