"""A global descriptor of an image from its local features, by second-order pooling.

It is the matrix square root of the covariance of the strongest local descriptors, which limits the weight of repeated
patterns (Li et al., "Is second-order information helpful for large-scale visual recognition?", ICCV 2017), projected to
256 numbers by a fixed matrix of random signs, which preserves angles (Johnson-Lindenstrauss), and quantized to int8. It
needs no training and no further data.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from cl_localization.features.encoder import quantized

DIM = 256
STRONGEST = 300
"""Number of pooled local features: fewer recognise fewer places, more add repeated patterns."""

MAX_LOCAL_DIM = 64
"""Longer local descriptors are projected to this length, since their covariance would be large."""

SEED = 20


def place_descriptor(local_descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptor (256,) int8 of an image from local descriptors (N, D), strongest first; zeros if N < 2."""
    chosen = local_descriptors[:STRONGEST].astype(np.float32)
    if len(chosen) < 2:
        return np.zeros(DIM, np.int8)
    if chosen.shape[1] > MAX_LOCAL_DIM:
        chosen = chosen @ _signs(chosen.shape[1], MAX_LOCAL_DIM)
    pooled = _root_of_covariance(chosen)
    projected = pooled @ _signs(len(pooled), DIM)
    return quantized(projected[None] / max(float(np.linalg.norm(projected)), 1e-6))[0]


def _root_of_covariance(chosen: np.ndarray) -> np.ndarray:
    """Return the upper triangle of the square root of the covariance of (N, D), weighted to preserve inner products."""
    centred = chosen - chosen.mean(axis=0)
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(chosen))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    upper = np.triu_indices(len(root))
    weights = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    return (root[upper] * weights).astype(np.float32)


@lru_cache(maxsize=8)
def _signs(rows: int, columns: int) -> np.ndarray:
    """Return a fixed matrix (rows, columns) of random signs."""
    bits = np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (rows, columns), np.int8)
    return (2 * bits - 1).astype(np.float32)
