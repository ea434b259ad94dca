"""What every encoder yields and must be able to do. A new encoder is one module of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of one image, strongest first.

    Attributes:
        keypoints_px: (N, 2) float32, in pixels of the encoded image, sub-pixel, first pixel centre at (0.5, 0.5).
        descriptors: (N, D) float32, unit length.
        scores: (N,) float32, larger is stronger.
    """

    keypoints_px: np.ndarray
    descriptors: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.keypoints_px)

    def select(self, rows: np.ndarray | slice) -> Features:
        """Return the features of the given rows (indices, mask or slice)."""
        return Features(self.keypoints_px[rows], self.descriptors[rows], self.scores[rows])


class Encoder(Protocol):
    """Turns images into features.

    Attributes:
        name: identifies network and weights; a map can only be used with the encoder that made it.
        dim: length D of a descriptor.
    """

    name: str
    dim: int

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of an (H, W, 3) uint8 RGB image.

        Raises:
            EncoderError: the image has another type or shape, or is too small.
        """
        ...
