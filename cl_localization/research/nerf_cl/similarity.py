"""The structural similarity of images."""

from __future__ import annotations

import torch
from torch import Tensor

SSIM_WINDOW_PX = 7
SSIM_CONSTANTS = (0.01 ** 2, 0.03 ** 2)


def ssim(rendered: Tensor, truth: Tensor) -> float:
    """Return the structural similarity of two images (H, W, 3) in [0, 1], over windows of 7 x 7 (Wang et al. 2004)."""
    one, other = (image.permute(2, 0, 1)[None] for image in (rendered, truth))
    window = min(SSIM_WINDOW_PX, *one.shape[2:])

    def mean(image: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(image, window, 1)

    means = mean(one), mean(other)
    variances = mean(one * one) - means[0] ** 2, mean(other * other) - means[1] ** 2
    covariance = mean(one * other) - means[0] * means[1]
    luminance, contrast = SSIM_CONSTANTS
    above = (2 * means[0] * means[1] + luminance) * (2 * covariance + contrast)
    below = (means[0] ** 2 + means[1] ** 2 + luminance) * (variances[0] + variances[1] + contrast)
    return float((above / below).mean())
