"""The image with the inliers of its localization drawn on it."""

from __future__ import annotations

import cv2
import numpy as np

from cl_localization.localization.result import Localization

ACCEPTED_RGB = (60, 220, 60)
REJECTED_RGB = (230, 60, 60)
RADIUS_PX = 3


def overlay(image: np.ndarray, found: Localization) -> np.ndarray:
    """Return a copy of an (H, W, 3) uint8 RGB image with inliers (green: accepted, red: rejected) and a text."""
    drawn = image.copy()
    colour = ACCEPTED_RGB if found.accepted else REJECTED_RGB
    for x, y in np.asarray(found.inlier_keypoints_px, int):
        cv2.circle(drawn, (int(x), int(y)), RADIUS_PX, colour, 1, cv2.LINE_AA)
    text = f"{found.inliers} inliers" if found.accepted else found.reason
    cv2.putText(drawn, text, (8, image.shape[0] - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return drawn
