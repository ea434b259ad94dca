"""What the search proposes for each feature, described so that it means the same in every scene.

The attention regressor never sees a coordinate. It sees how alike feature and code are, and how the proposals of a
feature and of its neighbours in the image lie to each other: distances in cells of the map. These do not change when
the map is moved, turned or scaled, and the answer is a mean of positions of codes, which moves with it: what was
learned in one scene holds in another. Only the cubes in which votes for a region are counted are fixed to the map
frame, which moves their borders and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.features.encoder import Features
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.map_code import MapCode, cell_labels

RADII_CELLS = (5.0, 16.0, 50.0)
"""A neighbour's proposal within these distances of a code supports it; 0.1, 0.3 and 1 m with the usual cells."""

NEIGHBOUR_CANDIDATES = 4
REGION_CELLS = 50.0
SIMILARITY_SCALE = 0.05
"""Differences of similarity are told in this unit."""

SCALARS = 8 + len(RADII_CELLS)
"""How many numbers say what is not in the descriptors."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The codes proposed for N features, best first.

    Attributes:
        rows: (N, k) int64 codes, -1 where there are fewer.
        scalars: (N, k, SCALARS) float32, see `propose`.
    """

    rows: np.ndarray
    scalars: np.ndarray


def propose(map_code: MapCode, index: CodeIndex, features: Features, count: int, neighbours: int) -> Candidates:
    """Return `count` candidates of every feature, with these numbers for each.

    Similarity; how far it is below the best; distance of the best over its own; logarithms of how often the code was
    seen and of its sigma in cells; the share of the feature's own proposals in the same place; what share of all
    features points at the code's keyframe and at its region; what share of the features near by in the image points at
    a place within each of `RADII_CELLS`.
    """
    similarity, rows = index.search(features.descriptors, count)
    known = rows >= 0
    safe = np.where(known, rows, 0)
    positions = map_code.codes["positions_m"][safe] / np.float32(map_code.cell_size_m)
    scenes = map_code.codes["scenes"][safe]
    weights = np.where(known, np.exp((similarity - similarity[:, :1]) / SIMILARITY_SCALE), 0).astype(np.float32)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    distance = np.sqrt(np.maximum(2 - 2 * similarity, 1e-6))
    columns = [similarity, (similarity - similarity[:, :1]) / SIMILARITY_SCALE / 4, distance[:, :1] / distance,
               np.log1p(map_code.codes["seen"][safe].astype(np.float32)) / 2,
               np.log(map_code.codes["sigmas_m"][safe] / map_code.cell_size_m),
               _own_support(positions, scenes, weights),
               _votes(map_code.codes["anchors"][safe], weights),
               _votes(cell_labels(positions.reshape(-1, 3), REGION_CELLS, scenes.reshape(-1)).reshape(rows.shape),
                      weights),
               *_neighbour_support(features.keypoints_px, positions, scenes, weights, neighbours)]
    scalars = np.stack([column.astype(np.float32) for column in columns], axis=2)
    return Candidates(rows, np.where(known[..., None], scalars, np.float32(0)))


def _own_support(positions: np.ndarray, scenes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weight (N, k) of a feature's proposals that lie in the place of each of them."""
    apart = np.linalg.norm(positions[:, :, None] - positions[:, None], axis=3)
    together = (apart < RADII_CELLS[0]) & (scenes[:, :, None] == scenes[:, None])
    return (together * weights[:, None]).sum(axis=2)


def _votes(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return for each proposal (N, k) what share of all weight has its label, over the largest share, as a
    logarithm."""
    _, which = np.unique(labels, return_inverse=True)
    share = np.bincount(which.reshape(-1), weights.reshape(-1))
    return np.log(1e-3 + share / max(share.max(initial=0), 1e-9))[which].reshape(labels.shape)


def _neighbour_support(keypoints_px: np.ndarray, positions: np.ndarray, scenes: np.ndarray, weights: np.ndarray,
                       neighbours: int) -> list[np.ndarray]:
    """Return for each of `RADII_CELLS` what share (N, k) of the features near by proposes a place within it, by
    weight."""
    count = min(neighbours + 1, len(keypoints_px))
    if count < 2:
        return [np.zeros(weights.shape, np.float32) for _ in RADII_CELLS]
    near = cKDTree(keypoints_px).query(keypoints_px, k=[*range(2, count + 1)])[1]
    few = slice(0, NEIGHBOUR_CANDIDATES)
    theirs, their_weights = positions[near, few], weights[near, few]
    shape = (len(near), -1, 3)
    theirs, their_weights = theirs.reshape(shape), their_weights.reshape(len(near), 1, -1)
    squared = ((positions**2).sum(axis=2)[:, :, None] + (theirs**2).sum(axis=2)[:, None]
               - 2 * np.einsum("nkd,nmd->nkm", positions, theirs, optimize=True))
    one_scene = (
        True if scenes.min() == scenes.max() else scenes[:, :, None] == scenes[near, few].reshape(len(near), 1, -1)
    )
    return [np.where((squared < radius**2) & one_scene, their_weights, np.float32(0)).sum(axis=2) / near.shape[1]
            for radius in RADII_CELLS]
