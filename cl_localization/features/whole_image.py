"""One small descriptor of a whole image from its local features: which of their components go together.

Second-order pooling: the covariance of the strongest local descriptors, its matrix square root so that no repeated
pattern outweighs the rest (Li et al., "Is second-order information helpful for large-scale visual recognition?", ICCV
2017), brought to 256 numbers by a fixed random matrix of signs, which keeps angles (Johnson-Lindenstrauss), and to one
byte each. Nothing is learned and nothing is stored beside it, so that a map can begin with its first keyframe.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

DIM = 256
STRONGEST = 300
"""Local features that are pooled. Fewer lose places, more add what repeats everywhere."""

MAX_LOCAL_DIM = 64
"""Longer local descriptors are brought to this length, by random signs too: their covariance would be large."""

CLIP_SIGMAS = 4.0
MAX_BYTE = 127.0
SEED = 20


def place_descriptor(local_descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptor (256,) int8 of an image from its local descriptors (N, D), strongest first; zeros of fewer
    than two."""
    chosen = local_descriptors[:STRONGEST].astype(np.float32)
    if len(chosen) < 2:
        return np.zeros(DIM, np.int8)
    if chosen.shape[1] > MAX_LOCAL_DIM:
        chosen = chosen @ _signs(chosen.shape[1], MAX_LOCAL_DIM)
    pooled = _root_of_covariance(chosen)
    projected = pooled @ _signs(len(pooled), DIM)
    return as_bytes(projected[None] / max(float(np.linalg.norm(projected)), 1e-6))[0]


def as_bytes(units: np.ndarray) -> np.ndarray:
    """Return unit descriptors (N, 256) as int8."""
    return np.clip(np.rint(units * (MAX_BYTE * np.sqrt(DIM) / CLIP_SIGMAS)), -MAX_BYTE, MAX_BYTE).astype(np.int8)


def unit_place_descriptors(descriptors: np.ndarray) -> np.ndarray:
    """Return descriptors (N, 256) int8 as unit vectors float32; unknown ones stay zeros."""
    values = descriptors.astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _root_of_covariance(chosen: np.ndarray) -> np.ndarray:
    """Return the upper half of the square root of the covariance of (N, D), weighted so that inner products are those
    of matrices."""
    centred = chosen - chosen.mean(axis=0)
    values, vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64) / len(chosen))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    upper = np.triu_indices(len(root))
    weights = np.where(upper[0] == upper[1], 1.0, np.sqrt(2.0))
    return (root[upper] * weights).astype(np.float32)


@lru_cache(maxsize=8)
def _signs(rows: int, columns: int) -> np.ndarray:
    """Return a matrix (rows, columns) of random signs, always the same."""
    bits = np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (rows, columns), np.int8)
    return (2 * bits - 1).astype(np.float32)
