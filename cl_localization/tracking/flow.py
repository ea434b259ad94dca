"""Optical flow between two images (pyramidal Lucas-Kanade), checked there and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cl_localization.geometry.camera import PIXEL_CENTRE

MAX_SIDE_PX = 640
"""Larger images are reduced to this, so that the time flow takes is bounded."""

MEAN, CONTRAST = 128.0, 50.0
"""Mean and standard deviation to which images are brought: flow compares brightness, and cameras change their
exposure."""

WINDOW_PX, PYRAMID_LEVELS = (15, 15), 3
CRITERIA = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 0.03)

MAX_RETURN_ERROR_PX = 1.0
"""Flow there and back must end this close to where it began."""


@dataclass(frozen=True, eq=False)
class FlowImage:
    """An image prepared for flow.

    Attributes:
        gray: (h, w) uint8, at most `MAX_SIDE_PX` wide and high, of `MEAN` and `CONTRAST`.
        scale: (2,) its width and height over those of the image.
    """

    gray: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> FlowImage:
        """Prepare an RGB image (H, W, 3) uint8."""
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        height, width = gray.shape
        factor = MAX_SIDE_PX / max(width, height)
        if factor < 1:
            size = max(1, round(width * factor)), max(1, round(height * factor))
            gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        scale = np.array([gray.shape[1] / width, gray.shape[0] / height])
        mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(gray))
        gain = CONTRAST / max(deviation, 1.0)
        return cls(cv2.convertScaleAbs(gray, alpha=gain, beta=MEAN - gain * mean), scale)

    def from_keypoints(self, keypoints_px: np.ndarray) -> np.ndarray:
        """Return where keypoints (N, 2) of the image lie in `gray`, (N, 2) float32, in OpenCV's pixel convention."""
        return (keypoints_px * self.scale - PIXEL_CENTRE).astype(np.float32)

    def to_keypoints(self, positions_px: np.ndarray) -> np.ndarray:
        """Return the keypoints (N, 2) of the image at positions (N, 2) in `gray`; inverse of `from_keypoints`."""
        return (positions_px.astype(np.float64) + PIXEL_CENTRE) / self.scale


def follow(before: FlowImage, after: FlowImage, positions_px: np.ndarray,
           motion_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find points of one image again in another.

    Args:
        positions_px: (N, 2) float32 the points in `before.gray`.
        motion_px: (N, 2) float32 roughly how far they have moved, where the search begins.

    Returns:
        which were found (F,), and their positions (F, 2) float32 in `after.gray`.
    """
    if before.gray.shape != after.gray.shape or len(positions_px) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 2), np.float32)
    there, found = _flow(before.gray, after.gray, positions_px, positions_px + motion_px)
    back, returned = _flow(after.gray, before.gray, there, there - motion_px)
    height, width = after.gray.shape
    inside = np.all((there >= 0) & (there <= [width - 1, height - 1]), axis=1)
    is_same = np.abs(back - positions_px).max(axis=1) < MAX_RETURN_ERROR_PX
    followed = np.flatnonzero(found & returned & inside & is_same)
    return followed, there[followed]


def _flow(before: np.ndarray, after: np.ndarray, positions_px: np.ndarray,
          predicted_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, positions_px, predicted_px, winSize=WINDOW_PX, maxLevel=PYRAMID_LEVELS, criteria=CRITERIA,
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW)
    return there, found[:, 0] == 1
