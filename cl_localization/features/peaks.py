"""Keypoints of a heatmap: its strongest local maxima, refined to a fraction of a pixel."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.features.sampling import sample_bilinear

DETECTION_THRESHOLD = 0.05
NMS_RADIUS_PX = 2


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
