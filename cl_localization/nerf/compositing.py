"""Volume rendering: compositing of densities and colours along rays (Max 1995; NeRF, ECCV 2020, eq. 3), and how near
to the truth what is rendered is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

LARGEST_PSNR_DB = 100.0


@dataclass(frozen=True, eq=False)
class Rendered:
    """The rendered values of N rays.

    Attributes:
        colours: (N, 3), in [0, 1].
        depths: (N,) expected distance along the ray, with the far bound for the transparent part.
        opacities: (N,) in [0, 1].
    """

    colours: Tensor
    depths: Tensor
    opacities: Tensor

    @classmethod
    def joined(cls, parts: list[Rendered]) -> Rendered:
        """Return the rays of several parts in order."""
        return cls(*(torch.cat([getattr(part, name) for part in parts]) for name in ("colours", "depths", "opacities")))


def packed_weights(optical_depths: Tensor, rays: Tensor, ray_count: int) -> Tensor:
    """Return the weights of samples (M,), from their densities times their lengths; rays may have different numbers of
    samples, concatenated.

    Args:
        rays: (M,) ascending ray number of each sample, below `ray_count`.
    """
    if len(rays) == 0:
        return optical_depths
    # a cumulative sum over all rays minus its value at the start of each ray, in double precision for the whole batch
    before = torch.cumsum(optical_depths.double(), dim=0) - optical_depths
    starts = torch.searchsorted(rays, torch.arange(ray_count, device=rays.device)).clamp_(max=len(rays) - 1)
    return torch.exp(before[starts][rays] - before).float() * (1.0 - torch.exp(-optical_depths))


def psnr_db(rendered: Tensor, truth: Tensor) -> float:
    """Return the peak signal to noise ratio of colours in [0, 1] of any shape; at most 100 dB."""
    error = float(((rendered.double() - truth.double()) ** 2).mean())
    return LARGEST_PSNR_DB if error <= 10 ** (-LARGEST_PSNR_DB / 10) else -10.0 * math.log10(error)
