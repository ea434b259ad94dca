"""Scenes for the paper's form: features with their points, of a mapping part and of a query part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.data.frame import Sequence
from cl_localization.errors import DataError
from cl_localization.features import Encoder
from cl_localization.research.ace_g.scenes import TrainingScene, posed_features


@dataclass(frozen=True, eq=False)
class KnownPoints:
    """Features (T, D) float16 of images and the points (T, 3) float32 that they show, relative to the mean of the
    mapping cameras."""

    features: Tensor
    points_m: Tensor


@dataclass(frozen=True, eq=False)
class CodeScene:
    """One scene: what its codes are learned from, and what the network is tested with."""

    mapping: KnownPoints
    queries: KnownPoints

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all arrays by name, for a file; `of` makes the scene again."""
        return {f"{part}.{name}": getattr(known, name).numpy() for part, known in vars(self).items()
                for name in ("features", "points_m")}

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray]) -> CodeScene:
        """Return the scene whose arrays these are. Raises KeyError where one is missing."""
        return cls(*(KnownPoints(*(torch.from_numpy(arrays[f"{part}.{name}"]) for name in ("features", "points_m")))
                     for part in ("mapping", "queries")))


def code_scene(scene: TrainingScene, encoder: Encoder, seed: int, augment: bool = True) -> CodeScene:
    """Return a scene for pre-training.

    Args:
        encoder: see `token_encoder`.
        augment: whether images are turned, zoomed and brightened at random.

    Raises:
        DataError: a frame without pose or depth, or a part without any depth.
    """
    poses = [scene.mapping.pose(index) for index in range(len(scene.mapping))]
    mean_m = np.mean([pose[:3, 3] for pose in poses if pose is not None] or [np.zeros(3)], axis=0)
    rng = np.random.default_rng([seed, 91]) if augment else None
    return CodeScene(*(_known_points(part, encoder, mean_m, rng) for part in (scene.mapping, scene.queries)))


def _known_points(sequence: Sequence, encoder: Encoder, mean_m: np.ndarray,
                  rng: np.random.Generator | None) -> KnownPoints:
    features, points = [], []
    for seen in posed_features(sequence, encoder, rng=rng):
        usable = np.isfinite(seen.points_m).all(axis=1)
        features.append(seen.features.descriptors[usable].astype(np.float16))
        points.append((seen.points_m[usable] - mean_m).astype(np.float32))
    if not sum(map(len, features)):
        raise DataError(f"sequence {sequence.name}", "must have depth where its images show features", "none",
                        "leave it out")
    return KnownPoints(torch.from_numpy(np.concatenate(features)), torch.from_numpy(np.concatenate(points)))
