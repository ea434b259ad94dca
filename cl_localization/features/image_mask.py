"""Image masks: which parts of a camera's images are not of the scene, as a person has drawn them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cl_localization.data.images import read_rgb
from cl_localization.errors import DataError

DARK = 128
MAX_STRETCH = 0.02
"""A mask and an image are of one shape when their ratios of width to height differ by at most this share."""


class ImageMask:
    """Hides what is dark in a mask, as in COLMAP."""

    def __init__(self, image: np.ndarray, name: str) -> None:
        """Take a mask (H, W) or (H, W, 3) uint8; `name` is what errors call it."""
        grey = image if image.ndim == 2 else image.max(axis=2)
        self._hidden, self._name = grey < DARK, name

    @classmethod
    def from_file(cls, path: str) -> ImageMask:
        """Read an image file.

        Raises:
            DataError: it cannot be read.
        """
        return cls(read_rgb(Path(path)), f"mask {path}")

    def hides(self, keypoints_px: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
        """Return which keypoints (N, 2) of an image of a size the mask hides, bool (N,).

        Raises:
            DataError: the mask has another shape.
        """
        height, width = self._hidden.shape
        if abs(width * height_px / (height * width_px) - 1) > MAX_STRETCH:
            raise DataError(self._name, f"must have the shape of the images, {width_px}x{height_px}",
                            f"{width}x{height}", "draw it on an image of this camera")
        column, row = (keypoints_px * [width / width_px, height / height_px]).astype(np.int64).T
        return self._hidden[row.clip(0, height - 1), column.clip(0, width - 1)]
