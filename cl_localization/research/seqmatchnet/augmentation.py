"""Changes of pixel descriptors in training: views from beside the track, other scale, noise, things in front of the
camera."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from cl_localization.research.seqmatchnet.options import AugmentationConfig

GAIN_SIGMA = 0.1
ERASED_SHARE = (0.15, 0.5)
"""Least and largest side of a blanked rectangle, as a share of the image's."""


def augmented(pixels: Tensor, mirror: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    """Return changed images (B, H, W), each in its own way.

    Args:
        pixels: (B, H, W) local contrast or normalised pixels.
        mirror: (B,) bool, which are mirrored; the images of one stretch must be mirrored together.
    """
    count, height, width = pixels.shape
    pixels = torch.where(mirror[:, None, None], pixels.flip(-1), pixels)
    pixels = _moved(pixels, config, generator)
    pixels = pixels * torch.exp(GAIN_SIGMA * torch.randn(count, 1, 1, generator=generator))
    pixels = pixels + config.noise_sigma * torch.randn(pixels.shape, generator=generator)
    return pixels * ~_erased(count, height, width, config.erase_share, generator)


def _moved(pixels: Tensor, config: AugmentationConfig, generator: torch.Generator) -> Tensor:
    count, height, width = pixels.shape
    scale = 1 + config.zoom_sigma * torch.randn(count, generator=generator)
    shift = (2 * torch.rand(count, 2, generator=generator) - 1) * torch.tensor(
        [2 * config.shift_px / width, config.shift_px / height]
    )
    transform = torch.zeros(count, 2, 3)
    transform[:, 0, 0] = transform[:, 1, 1] = scale
    transform[:, :, 2] = shift
    grid = F.affine_grid(transform, [count, 1, height, width], align_corners=False)
    return F.grid_sample(pixels[:, None], grid, align_corners=False, padding_mode="reflection")[:, 0]


def _erased(count: int, height: int, width: int, share: float, generator: torch.Generator) -> Tensor:
    """Return (B, H, W) bool: a rectangle in a share of the images."""
    low, high = ERASED_SHARE
    chosen = torch.rand(count, generator=generator) < share
    inside = chosen[:, None, None]
    for axis, size in ((1, height), (2, width)):
        length = size * (low + (high - low) * torch.rand(count, generator=generator))
        begin = torch.rand(count, generator=generator) * (size - length)
        place = torch.arange(size)
        along = (place >= begin[:, None]) & (place < (begin + length)[:, None])
        inside = inside & (along[:, :, None] if axis == 1 else along[:, None, :])
    return inside
