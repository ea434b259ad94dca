"""The interface of encoders, and their features, also as the bytes that a map keeps and sends. A new encoder is a
module in this folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.errors import EncoderError

CLIP_SIGMAS = 4.0
"""Range of the bytes, in multiples of 1/sqrt(D), the typical component of a unit descriptor (XFeat: 99.99 % inside)."""

MAX_BYTE = 127.0


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of one image, strongest first.

    Attributes:
        keypoints_px: (N, 2) float32 sub-pixel positions in the encoded image; the first pixel's centre is (0.5, 0.5).
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
        name: identifies network and weights; a map can only be used with the encoder it was made with.
        dim: length D of a descriptor.
    """

    name: str
    dim: int

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of an (H, W, 3) uint8 RGB image.

        Raises:
            EncoderError: the image has the wrong type or shape, or is too small.
        """
        ...


def checked_image(image: np.ndarray, min_side_px: int) -> np.ndarray:
    """Return the image if it is (H, W, 3) uint8 and large enough; else raise EncoderError."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise EncoderError("image", "must be (H, W, 3) uint8 RGB", f"{image.shape} {image.dtype}")
    if min(image.shape[:2]) < min_side_px:
        raise EncoderError("image", f"must be at least {min_side_px} px on each side",
                           f"{image.shape[1]}x{image.shape[0]}")
    return image


def quantized(descriptors: np.ndarray) -> np.ndarray:
    """Return unit descriptors (N, D) as int8."""
    scale = MAX_BYTE * np.sqrt(descriptors.shape[1]) / CLIP_SIGMAS
    return np.clip(np.rint(descriptors * scale), -MAX_BYTE, MAX_BYTE).astype(np.int8)


def unit_descriptors(quantized_descriptors: np.ndarray) -> np.ndarray:
    """Return int8 descriptors (N, D) as float32 of unit length; zeros stay zeros."""
    values = quantized_descriptors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", values, values))  # twice as fast as NumPy's norm
    values /= np.maximum(lengths, 1e-6)[:, None]
    return values
