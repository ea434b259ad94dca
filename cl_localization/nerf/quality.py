"""The quality of rendered images: PSNR."""

from __future__ import annotations

import math

from torch import Tensor

LARGEST_PSNR_DB = 100.0


def psnr_db(rendered: Tensor, truth: Tensor) -> float:
    """Return the peak signal to noise ratio of colours in [0, 1] of any shape; at most 100 dB."""
    error = float(((rendered.double() - truth.double()) ** 2).mean())
    return LARGEST_PSNR_DB if error <= 10 ** (-LARGEST_PSNR_DB / 10) else -10.0 * math.log10(error)
