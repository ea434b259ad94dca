"""Values of dense maps between their cells, zero beyond the border, as PyTorch's `grid_sample` gives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

CUBIC = -0.75
"""Slope of the cubic kernel at its first zero."""

Kernel = Callable[[np.ndarray], np.ndarray]


def sample_bilinear(maps: np.ndarray, positions_px: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
    """Return (N, C) values of maps (h, w, C), which span an image of (H, W), at positions (N, 2) of the image."""
    return _sampled(maps, positions_px, image_shape, 1, lambda distance: 1 - distance)


def sample_descriptors(maps: np.ndarray, positions_px: np.ndarray, image_shape: tuple[int, ...]) -> np.ndarray:
    """Return unit descriptors (N, D), bicubically sampled from dense maps (H/8, W/8, D)."""
    sampled = _sampled(maps, positions_px, image_shape, 2, _cubic)
    return sampled / np.maximum(np.sqrt(np.einsum("nd,nd->n", sampled, sampled))[:, None], 1e-12)


def _cubic(distance: np.ndarray) -> np.ndarray:
    near = ((CUBIC + 2) * distance - (CUBIC + 3)) * distance * distance + 1
    far = ((CUBIC * distance - 5 * CUBIC) * distance + 8 * CUBIC) * distance - 4 * CUBIC
    return np.where(distance <= 1, near, far)


def _sampled(maps: np.ndarray, positions_px: np.ndarray, image_shape: tuple[int, ...], reach: int,
             kernel: Kernel) -> np.ndarray:
    """Sample with a separable kernel that reaches so many cells: a sparse matrix of weights times the cells."""
    height, width, channels = maps.shape
    column, across = _taps(positions_px[:, 0], image_shape[1], width, reach, kernel)
    row, down = _taps(positions_px[:, 1], image_shape[0], height, reach, kernel)
    taps = 4 * reach * reach
    weights = (down[:, :, None] * across[:, None, :]).reshape(-1)
    cells = (row[:, :, None] * width + column[:, None, :]).reshape(-1)
    starts = np.arange(0, len(cells) + 1, taps)
    matrix = csr_array((weights, cells, starts), shape=(len(positions_px), height * width))
    return matrix @ maps.reshape(-1, channels)


def _taps(position_px: np.ndarray, image_side_px: int, side: int, reach: int,
          kernel: Kernel) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells (N, 2 reach) around positions (N,) along one axis, and their weights; 0 beyond the border."""
    position = position_px.astype(np.float32) * np.float32(side / image_side_px) - np.float32(0.5)
    cells = np.floor(position).astype(np.int32)[:, None] + np.arange(1 - reach, 1 + reach, dtype=np.int32)
    weights = kernel(np.abs(position[:, None] - cells.astype(np.float32)))
    inside = (cells >= 0) & (cells < side)
    return np.where(inside, cells, 0), np.where(inside, weights, np.float32(0)).astype(np.float32)
