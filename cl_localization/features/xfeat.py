"""XFeat (Potje et al., CVPR 2024): 64-D features at 30 images per second on two CPU cores.

The network is run by one of several engines; detection is our own, since that of the package rounds keypoints to whole
pixels (0.5 cm at 3 m), and the same for all engines: the strongest local maxima of the heatmap, refined to a fraction
of a pixel, with descriptors from between the cells of the dense maps as PyTorch's `grid_sample` gives them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from scipy.sparse import csr_array

from cl_localization.config import EncoderConfig
from cl_localization.features.encoder import Features, checked_image
from cl_localization.features.engines import make_engine
from cl_localization.features.exported import weights_name

SIZE_MULTIPLE_PX = 32
DETECTION_THRESHOLD = 0.05
NMS_RADIUS_PX = 2
CUBIC = -0.75
"""Slope of the cubic kernel at its first zero."""

Kernel = Callable[[np.ndarray], np.ndarray]


class XFeatEncoder:
    """Sparse keypoints with sub-pixel positions and 64-D descriptors."""

    dim = 64

    def __init__(self, config: EncoderConfig) -> None:
        self.name = weights_name("xfeat", config.weights)
        self.max_keypoints = config.max_keypoints
        self.max_side_px = config.max_image_side_px
        self.engine = make_engine(config)

    def encode(self, image: np.ndarray) -> Features:
        """Return up to `max_keypoints` features of an (H, W, 3) uint8 RGB image; see `Encoder`."""
        image = checked_image(image, SIZE_MULTIPLE_PX)
        grey = self._resized(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        dense = self.engine.run(grey)
        rows, columns, scores = strongest_peaks(dense.heatmap, dense.reliability, self.max_keypoints)
        positions_px = refined_peaks(dense.heatmap, rows, columns)
        scale = np.array([image.shape[1] / grey.shape[1], image.shape[0] / grey.shape[0]], np.float32)
        return Features(positions_px * scale, sample_descriptors(dense.maps, positions_px, grey.shape), scores)

    def _resized(self, grey: np.ndarray) -> np.ndarray:
        height, width = grey.shape
        shrink = min(1.0, self.max_side_px / max(height, width))
        size = [max(1, int(side * shrink) // SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX for side in (width, height)]
        if size == [width, height]:
            return grey
        return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def strongest_peaks(heatmap: np.ndarray, reliability: np.ndarray,
                    count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and score (N,) of at most `count` local maxima of an (H, W) heatmap, strongest first.

    The score is the heatmap times the (H/8, W/8) reliability of the cell, as in the paper.
    """
    window = np.ones((2 * NMS_RADIUS_PX + 1,) * 2, np.uint8)
    is_peak = (heatmap == cv2.dilate(heatmap, window)) & (heatmap > DETECTION_THRESHOLD)
    rows, columns = np.divmod(np.flatnonzero(is_peak), heatmap.shape[1])
    positions_px = np.column_stack([columns, rows]).astype(np.float32) + np.float32(0.5)
    scores = heatmap[rows, columns] * sample_bilinear(reliability[..., None], positions_px, heatmap.shape)[:, 0]
    order = np.argsort(-scores, kind="stable")[:count]
    return rows[order], columns[order], scores[order]


def refined_peaks(heatmap: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return sub-pixel (x, y) (N, 2) float32 of peaks: the centre of mass of the heatmap around each."""
    offsets = np.arange(-NMS_RADIUS_PX, NMS_RADIUS_PX + 1)
    padded = cv2.copyMakeBorder(heatmap, *(NMS_RADIUS_PX,) * 4, cv2.BORDER_CONSTANT, value=0)
    width = padded.shape[1]
    centres = (rows + NMS_RADIUS_PX) * width + columns + NMS_RADIUS_PX
    patches = padded.reshape(-1)[centres[:, None, None] + offsets[:, None] * width + offsets]
    weights = patches / patches.sum(axis=(1, 2), keepdims=True)
    shift = offsets.astype(np.float32)
    centre_px = np.column_stack([columns, rows]).astype(np.float32) + np.float32(0.5)
    return centre_px + np.column_stack([weights.sum(axis=1) @ shift, weights.sum(axis=2) @ shift])


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
