"""A scene cut into regions and sub-regions: the labels that HSCNet learns to tell before it regresses what is left."""

from __future__ import annotations

from dataclasses import dataclass

import faiss
import numpy as np

from cl_localization.errors import DataError
from cl_localization.research.hscnet.network import SUB_REGIONS

LEAVES = SUB_REGIONS**2
"""Of one scene."""
ITERATIONS = 25
MAX_POINTS = 200_000


@dataclass(frozen=True, eq=False)
class RegionTree:
    """25 regions of 25 sub-regions each, by k-means twice; leaf l is sub-region l % 25 of region l // 25.

    Attributes:
        region_centres_m: (25, 3).
        leaf_centres_m: (625, 3).
    """

    region_centres_m: np.ndarray
    leaf_centres_m: np.ndarray

    @classmethod
    def of(cls, points_m: np.ndarray, seed: int = 0) -> RegionTree:
        """Cluster scene points (N, 3).

        Raises:
            DataError: fewer points than leaves: a scene without depth.
        """
        points_m = np.ascontiguousarray(points_m, dtype=np.float32)
        if len(points_m) < LEAVES:
            raise DataError("scene", f"must have at least {LEAVES} points with depth to be cut into regions",
                            len(points_m),
                            "give frames with poses and depth")
        rng = np.random.default_rng(seed)
        if len(points_m) > MAX_POINTS:
            points_m = points_m[rng.choice(len(points_m), MAX_POINTS, replace=False)]
        centres_m = _kmeans(points_m, seed)
        own = nearest(points_m, centres_m)
        leaves_m = [_kmeans(_enough(points_m[own == region], centres_m[region], rng), seed)
                    for region in range(SUB_REGIONS)]
        return cls(centres_m, np.concatenate(leaves_m))

    def labels(self, points_m: np.ndarray) -> np.ndarray:
        """Return the leaf (..., ) of points (..., 3): the nearest region's nearest sub-region."""
        flat = np.ascontiguousarray(points_m.reshape(-1, 3), dtype=np.float32)
        regions = nearest(flat, self.region_centres_m)
        leaves_m = self.leaf_centres_m.reshape(SUB_REGIONS, SUB_REGIONS, 3)
        squared_m2 = ((leaves_m[regions] - flat[:, None]) ** 2).sum(-1)
        return (regions * SUB_REGIONS + squared_m2.argmin(1)).reshape(points_m.shape[:-1])


def nearest(points_m: np.ndarray, centres_m: np.ndarray) -> np.ndarray:
    """Return the index (N,) of the centre (K, 3) nearest to each point (N, 3)."""
    squared_m2 = (centres_m**2).sum(1) - 2.0 * points_m @ centres_m.T
    return squared_m2.argmin(1)


def _kmeans(points_m: np.ndarray, seed: int) -> np.ndarray:
    clustering = faiss.Kmeans(3, SUB_REGIONS, niter=ITERATIONS, seed=seed, min_points_per_centroid=1,
                              max_points_per_centroid=MAX_POINTS)
    # Centred points: faiss works in single precision.
    origin_m = points_m.mean(0)
    clustering.train(np.ascontiguousarray(points_m - origin_m))
    return clustering.centroids + origin_m


def _enough(points_m: np.ndarray, centre_m: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return at least 25 points: a region of fewer is filled up around its centre."""
    missing = SUB_REGIONS - len(points_m)
    if missing <= 0:
        return points_m
    return np.concatenate([points_m, centre_m + rng.normal(0.0, 1e-3, (missing, 3)).astype(np.float32)])
