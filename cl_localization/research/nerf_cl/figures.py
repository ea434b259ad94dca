"""Figures of radiance fields that go on learning. Functions of axes and data."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from cl_localization.viz.style import INK, PATH, quiet


def draw_forgetting(axes: Axes, psnr_db: np.ndarray, names: list[str]) -> None:
    """Draw the PSNR on each part of a stream after each part was learned.

    Args:
        psnr_db: (T, T) row i, column j: on part j after part i; NaN above the diagonal.
        names: of the parts.
    """
    axes.imshow(np.ma.masked_invalid(psnr_db), cmap="viridis", aspect="auto")
    middle = np.nanmean(psnr_db)
    for row, column in zip(*np.nonzero(np.isfinite(psnr_db))):
        value = psnr_db[row, column]
        axes.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=6,
                  color="white" if value < middle else INK)
    axes.set_xticks(range(len(names)), names, fontsize=6, rotation=45)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_xlabel("frames tested, PSNR [dB]")
    axes.set_ylabel("frames learned up to")


def draw_psnr(axes: Axes, curves: dict[str, np.ndarray], xlabel: str) -> None:
    """Draw PSNR over frames or chunks, a curve by name."""
    quiet(axes)
    for name, values in curves.items():
        axes.plot(np.arange(1, len(values) + 1), values, label=name, linewidth=1.2,
                  **({"color": PATH} if len(curves) == 1 else {}))
    axes.set_xlabel(xlabel)
    axes.set_ylabel("PSNR [dB]")
    axes.legend(fontsize=7)


def draw_psnr_bars(axes: Axes, psnr_db: dict[str, float], bound_db: float | None = None) -> None:
    """Draw a bar of PSNR a name, and a line at a bound."""
    quiet(axes).barh(list(psnr_db), list(psnr_db.values()), color=PATH)
    axes.invert_yaxis()
    for number, value in enumerate(psnr_db.values()):
        axes.annotate(f"{value:.2f}", (value, number), xytext=(3, 0), textcoords="offset points", va="center",
                      fontsize=7)
    if bound_db is not None:
        axes.axvline(bound_db, color=INK, linestyle=":", linewidth=0.8)
    axes.set_xlim(left=min(psnr_db.values()) - 3)
    axes.set_xlabel("PSNR [dB]")
