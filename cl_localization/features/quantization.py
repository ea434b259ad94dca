"""Unit descriptors as bytes, as a map keeps and sends them, and back."""

from __future__ import annotations

import numpy as np

CLIP_SIGMAS = 4.0
"""Range of the bytes, in multiples of 1/sqrt(D), the typical component of a unit descriptor (XFeat: 99.99 % inside)."""

MAX_BYTE = 127.0


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
