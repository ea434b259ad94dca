"""Global descriptors from an encoder's local features: generalised mean (GeM) and VLAD with a vocabulary learned from
the map."""

from __future__ import annotations

from collections.abc import Iterable

import faiss
import numpy as np

from cl_localization.errors import DataError
from cl_localization.places.place_index import checked_descriptors

GEM_POWER = 3.0
KMEANS_ITERATIONS = 20
TINY = 1e-12


def gem(local_descriptors: np.ndarray, power: float = GEM_POWER) -> np.ndarray:
    """Return the generalised mean (2 D,) of local descriptors (N, D), unit length; zeros of none.

    Local descriptors have both signs and a generalised mean wants none: positive and negative parts are pooled apart.
    """
    if len(local_descriptors) == 0:
        return np.zeros(2 * local_descriptors.shape[1], np.float32)
    parts = np.concatenate([np.maximum(local_descriptors, 0), np.maximum(-local_descriptors, 0)], axis=1)
    return _unit(np.mean(parts ** power, axis=0) ** (1 / power))


def learn_vocabulary(local_descriptors: Iterable[np.ndarray], words: int) -> np.ndarray:
    """Return the words (K, D) of a vocabulary: k-means centres of the local descriptors of a map's images, each (N, D).

    Raises:
        DataError: fewer descriptors than words.
    """
    found = [part for part in local_descriptors if len(part)]
    descriptors = checked_descriptors(np.concatenate(found) if found else np.zeros((0, 1)), "local descriptors")
    if len(descriptors) < words:
        raise DataError("vocabulary", f"needs at least {words} local descriptors", len(descriptors),
                        "map more or ask for fewer words")
    kmeans = faiss.Kmeans(descriptors.shape[1], words, niter=KMEANS_ITERATIONS, seed=0, spherical=True,
                          min_points_per_centroid=1)
    kmeans.train(descriptors)
    return np.ascontiguousarray(kmeans.centroids.reshape(words, -1), np.float32)


def vlad(local_descriptors: np.ndarray, vocabulary: np.ndarray) -> np.ndarray:
    """Return the VLAD descriptor (K * D,) of local descriptors (N, D): for each word the sum of differences from it.

    Each word's sum is brought to unit length (so no repeated pattern outweighs the rest), then all of it; zeros of
    none.
    """
    sums = np.zeros_like(vocabulary)
    if len(local_descriptors):
        nearest = np.argmax(local_descriptors @ vocabulary.T, axis=1)
        np.add.at(sums, nearest, local_descriptors - vocabulary[nearest])
    sums /= np.linalg.norm(sums, axis=1, keepdims=True) + TINY
    return _unit(sums.reshape(-1))


def _unit(vector: np.ndarray) -> np.ndarray:
    return (vector / (np.linalg.norm(vector) + TINY)).astype(np.float32)
