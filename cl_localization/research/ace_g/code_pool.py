"""Scenes for the paper's form: features with their points, of a mapping part and of a query part."""

from __future__ import annotations

from collections.abc import Callable
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
    """Features (T, D) float16 of images and the points (T, 3) that they show, relative to the mean of the mapping
    cameras."""

    features: Tensor
    points_m: Tensor

    def batch(self, count: int, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
        """Return some features and points, drawn at random."""
        rows = torch.from_numpy(rng.integers(len(self.features), size=count))
        return self.features[rows].float().to(device), self.points_m[rows].to(device)


@dataclass(frozen=True, eq=False)
class CodeScene:
    """One scene: what its codes are learned from, and what the network is tested with."""

    mapping: KnownPoints
    queries: KnownPoints


def code_scene(scene: TrainingScene, encoder: Encoder, seed: int, told: Callable[[], None] = lambda: None) -> CodeScene:
    """Return a scene for pre-training; its queries are changed at random.

    Raises:
        DataError: a frame without pose or depth, or a part without any depth.
    """
    poses = [scene.mapping.pose(index) for index in range(len(scene.mapping))]
    mean_m = np.mean([pose[:3, 3] for pose in poses if pose is not None] or [np.zeros(3)], axis=0)
    mapping = _known_points(scene.mapping, encoder, mean_m, None, told)
    return CodeScene(mapping, _known_points(scene.queries, encoder, mean_m, seed, told))


def _known_points(sequence: Sequence, encoder: Encoder, mean_m: np.ndarray, seed: int | None,
                  told: Callable[[], None]) -> KnownPoints:
    features, points = [], []
    for seen in posed_features(sequence, encoder, seed):
        told()
        usable = np.isfinite(seen.points_m).all(axis=1)
        features.append(seen.features.descriptors[usable].astype(np.float16))
        points.append((seen.points_m[usable] - mean_m).astype(np.float32))
    if not sum(map(len, features)):
        raise DataError(f"sequence {sequence.name}", "must have depth where its images show features", "none",
                        "leave it out")
    return KnownPoints(torch.from_numpy(np.concatenate(features)), torch.from_numpy(np.concatenate(points)))
