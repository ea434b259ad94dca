"""What the sparse form is pre-trained on: features, the codes that the search proposed for them, and where they really
are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from cl_localization.config import DepthConfig, KeyframeConfig, MapCodeConfig
from cl_localization.errors import DataError
from cl_localization.features import Encoder
from cl_localization.localization.attention.candidates import propose
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_mapper import DepthMapper
from cl_localization.mapping.keyframe_policy import KeyframePolicy
from cl_localization.research.ace_g.options import AttentionNetworkConfig
from cl_localization.research.ace_g.scenes import TrainingScene, posed_features

FEATURES_PER_FRAME = 600
"""Features of an image that are kept for training, drawn at random."""

TOLERANCE_CELLS, TOLERANCE_SIGMAS = 3.0, 2.0
"""A code this far from the truth is right: in cells, and in its own standard deviations on top."""


@dataclass(frozen=True, eq=False)
class SparsePool:
    """T features of one scene or of several, and M codes; all lengths in cells of the map they belong to.

    Attributes:
        keys: (M, D) int8; positions: (M, 3); sigmas: (M,).
        descriptors: (T, D) float16; rows: (T, k) int32 into the codes, -1 for none; scalars: (T, k, S) float16; points:
            (T, 3).
    """

    keys: np.ndarray
    positions: np.ndarray
    sigmas: np.ndarray
    descriptors: np.ndarray
    rows: np.ndarray
    scalars: np.ndarray
    points: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def joined(cls, pools: list[SparsePool]) -> SparsePool:
        """Return several pools as one."""
        shifts = np.cumsum([0, *(len(pool.keys) for pool in pools[:-1])])
        columns = {field.name: np.concatenate([getattr(pool, field.name) for pool in pools])
                   for field in fields(cls) if field.name != "rows"}
        rows = [np.where(pool.rows < 0, -1, pool.rows + shift).astype(np.int32) for pool, shift in zip(pools, shifts)]
        return cls(rows=np.concatenate(rows), **columns)

    def batch(self, chosen: np.ndarray, device: torch.device) -> SparseBatch:
        """Return some of the features with their candidates."""
        rows = self.rows[chosen]
        known, rows = rows >= 0, np.maximum(rows, 0)
        keys = self.keys[rows].astype(np.float32)
        keys /= np.maximum(np.linalg.norm(keys, axis=2, keepdims=True), 1e-6)
        tolerance = TOLERANCE_CELLS + TOLERANCE_SIGMAS * self.sigmas[rows[:, 0]]
        columns = (self.descriptors[chosen].astype(np.float32), keys, self.scalars[chosen].astype(np.float32),
                   self.positions[rows],
                   known, self.points[chosen], tolerance)
        return SparseBatch(*(torch.from_numpy(column).to(device) for column in columns))


@dataclass(frozen=True, eq=False)
class SparseBatch:
    """Tensors of B features; see `SparseRegressor.forward` and `sparse_loss`."""

    descriptors: Tensor
    keys: Tensor
    scalars: Tensor
    positions: Tensor
    known: Tensor
    points: Tensor
    tolerance: Tensor


def mapped(scene: TrainingScene, encoder: Encoder, told: Callable[[], None] = lambda: None) -> MapCode:
    """Return the map of a scene's mapping part, from depth.

    Raises:
        DataError: a frame without pose or depth, or nothing that could be mapped.
    """
    map_code = MapCode(MapCodeConfig(), encoder.name, encoder.dim)
    mapper, keyframes = DepthMapper(map_code, DepthConfig()), KeyframeConfig()
    policy = KeyframePolicy(keyframes.min_translation_m, keyframes.min_rotation_deg)
    number = map_code.scene_number(scene.name[:100])
    for seen in posed_features(scene.mapping, encoder):
        told()
        frame = seen.frame
        if policy.is_new_view(frame.world_T_cam, map_code.keyframe_world_T_cam):
            keyframe = map_code.add_keyframe(frame.world_T_cam, frame.stamp_ns, number)
            view = View.of(keyframe, frame.world_T_cam, frame.camera, seen.features, number)
            mapper.add(view, seen.features.keypoints_px, frame.depth_m)
    if len(map_code) == 0:
        raise DataError(f"scene {scene.name}", "must show something that can be mapped", "no code", "leave it out")
    return map_code


def prepared(scene: TrainingScene, encoder: Encoder, config: AttentionNetworkConfig, seed: int,
             told: Callable[[], None] = lambda: None) -> SparsePool:
    """Map a scene and return what its queries, changed at random, are to learn from.

    Raises:
        DataError: see `mapped`; or no feature of the queries has depth.
    """
    map_code = mapped(scene, encoder, told)
    index, rng, parts = CodeIndex(map_code), np.random.default_rng(seed), []
    for seen in posed_features(scene.queries, encoder, seed):
        told()
        if len(seen.features) < 2:
            continue
        found = propose(map_code, index, seen.features, config.candidates, config.neighbours)
        usable = np.flatnonzero(np.isfinite(seen.points_m).all(axis=1) & (found.rows[:, 0] >= 0))
        usable = rng.permutation(usable)[:FEATURES_PER_FRAME]
        parts.append((seen.features.descriptors[usable].astype(np.float16), found.rows[usable].astype(np.int32),
                      found.scalars[usable].astype(np.float16), seen.points_m[usable] / map_code.cell_size_m))
    if not sum(len(part[0]) for part in parts):
        raise DataError(f"scene {scene.name}", "must have depth where its queries show features", "none",
                        "leave it out")
    descriptors, rows, scalars, points = (np.concatenate(column) for column in zip(*parts))
    cell = np.float32(map_code.cell_size_m)
    codes, end = map_code.codes, int(map_code.codes.rows()[-1]) + 1
    return SparsePool(codes["keys"][:end].copy(), codes["positions_m"][:end] / cell, codes["sigmas_m"][:end] / cell,
                      descriptors, rows, scalars, points)
