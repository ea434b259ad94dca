"""Descriptors of small grey images: patch-normalised pixels (SeqSLAM) and local contrast.

Local contrast is what remains of season and light least: each pixel's difference from its surroundings, in units of how
much they vary.
"""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig

FLAT_PATCH = 1e-6
"""Added to the spread [grey levels]: a patch of one colour has no pattern."""

FLAT_SURROUNDINGS = 0.3
"""Added to the local spread [roots of grey levels]: the noise of a dark image is no pattern either."""


def pixel_descriptor(image: np.ndarray, config: ImageDescriptorConfig) -> np.ndarray:
    """Return the descriptor (height_px * width_px,) float32 of an (H, W, 3) RGB or (H, W) grey uint8 image.

    Raises:
        DataError: another shape or type.
    """
    grey = small_grey(image, config.width_px, config.height_px)
    if config.kind == "patch_normalised":
        return patch_normalised(grey, config.patch_px).reshape(-1)
    return local_contrast(grey, config.sigma_px).reshape(-1)


def small_grey(image: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
    """Return a uint8 image as (height_px, width_px) float32 grey levels.

    Raises:
        DataError: neither (H, W, 3) nor (H, W) uint8.
    """
    if image.dtype != np.uint8 or not (image.ndim == 2 or (image.ndim == 3
                                                           and image.shape[2] == 3)) or 0 in image.shape:
        raise DataError("image", "must be (H, W, 3) RGB or (H, W) grey uint8", f"{image.shape} {image.dtype}")
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if grey.shape != (height_px, width_px):
        grey = cv2.resize(grey, (width_px, height_px), interpolation=cv2.INTER_AREA)
    return grey.astype(np.float32)


def patch_normalised(grey: np.ndarray, patch_px: int) -> np.ndarray:
    """Return (H, W) pixels minus the mean of their patch, divided by its spread; patches at the border may be
    smaller."""
    result = np.empty_like(grey)
    for top in range(0, grey.shape[0], patch_px):
        for left in range(0, grey.shape[1], patch_px):
            patch = grey[top:top + patch_px, left:left + patch_px]
            result[top:top + patch_px, left:left + patch_px] = (patch - patch.mean()) / (patch.std() + FLAT_PATCH)
    return result


def local_contrast(grey: np.ndarray, sigma_px: float) -> np.ndarray:
    """Return (H, W) pixels relative to a Gaussian neighbourhood of width `sigma_px`, of the root of the grey levels."""
    root = np.sqrt(grey)
    difference = root - cv2.GaussianBlur(root, (0, 0), sigma_px)
    return difference / (np.sqrt(cv2.GaussianBlur(difference * difference, (0, 0), sigma_px)) + FLAT_SURROUNDINGS)
