"""Images with something to see."""

from __future__ import annotations

import cv2
import numpy as np


def textured(width_px: int = 320, height_px: int = 256, seed: int = 0) -> np.ndarray:
    """Return an RGB image with plain shapes on a smooth ground."""
    random = np.random.default_rng(seed)
    image = cv2.resize(random.integers(60, 200, (6, 8, 3), np.uint8), (width_px, height_px),
                       interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        corner = random.integers(0, [width_px, height_px])
        size = random.integers(8, 50, 2)
        cv2.rectangle(image, tuple(map(int, corner)), tuple(map(int, corner + size)),
                      tuple(map(int, random.integers(0, 256, 3))), -1)
    return cv2.GaussianBlur(image, (0, 0), 0.7)
