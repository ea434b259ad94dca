"""Depth of keypoints, and its standard deviation."""

from __future__ import annotations

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.features import Features

WINDOW_RADIUS_PX = 2
MAX_RELATIVE_STEP = 0.05
"""Largest depth range around a keypoint, as a share of its depth; beyond it, the keypoint lies on a depth edge."""

SYSTEMATIC_SIGMA_M = 0.004
"""Standard deviation of calibration and pose errors, which averaging does not remove."""


def keypoint_depths(depth_m: np.ndarray, keypoints_px: np.ndarray, max_depth_m: float) -> np.ndarray:
    """Return the depth (N,) at keypoints (N, 2): the median around each; 0 at edges, holes and beyond `max_depth_m`."""
    height, width = depth_m.shape
    offsets = np.arange(-WINDOW_RADIUS_PX, WINDOW_RADIUS_PX + 1)
    x = np.clip(keypoints_px[:, 0].astype(np.int64), WINDOW_RADIUS_PX, width - 1 - WINDOW_RADIUS_PX)
    y = np.clip(keypoints_px[:, 1].astype(np.int64), WINDOW_RADIUS_PX, height - 1 - WINDOW_RADIUS_PX)
    window = depth_m[(y[:, None] + offsets)[:, :, None], (x[:, None] + offsets)[:, None, :]].reshape(
        len(x), offsets.size**2
    )
    known = np.sort(np.where(window > 0, window, np.nan), axis=1)
    count = np.count_nonzero(window > 0, axis=1)
    row = np.arange(len(known))
    median, largest = known[row, np.maximum(count - 1, 0) // 2], known[row, np.maximum(count - 1, 0)]
    usable = (count > 0) & (largest - known[:, 0] < MAX_RELATIVE_STEP * median) & (median <= max_depth_m)
    return np.where(usable, median, 0).astype(np.float32)


def depths_of(frame: Frame, features: Features, max_depth_m: float) -> np.ndarray:
    """Return the measured depth (N,) of a frame's features, 0 where unknown."""
    if frame.depth_m is None:
        return np.zeros(len(features), np.float32)
    return keypoint_depths(frame.depth_m, features.keypoints_px, max_depth_m)


def depth_sigmas(depth_m: np.ndarray) -> np.ndarray:
    """Return the standard deviation (N,) [m] of structured-light depth (N,) [m] (Nguyen et al., 3DIMPVT 2012)."""
    axial = 0.0012 + 0.0019 * (depth_m - 0.4) ** 2
    return np.hypot(axial, SYSTEMATIC_SIGMA_M).astype(np.float32)
