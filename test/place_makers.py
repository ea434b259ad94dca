"""Small traverses for the tests of place recognition."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch

from cl_localization.research.seqmatchnet.traverse import Traverse, TraversePair, image_numbers, whole


def route_descriptors(count: int = 60, width: int = 24, seed: int = 0) -> np.ndarray:
    """Descriptors (N, D) of places along a route, unlike each other."""
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def seen_again(descriptors: np.ndarray, seed: int = 1, noise: float = 0.5, season: float = 0.0) -> np.ndarray:
    """The same places at another time: with noise, and a change that is the same everywhere."""
    rng = np.random.default_rng(seed)
    change = season * rng.normal(size=descriptors.shape[1])
    return (descriptors + noise * rng.normal(size=descriptors.shape) + change).astype(np.float32)


def traverse_of(descriptors: np.ndarray, name: str = "drive", bounds: np.ndarray | None = None) -> Traverse:
    """A traverse of stored descriptors whose positions are the images' numbers."""
    count = len(descriptors)
    return Traverse(name, [f"{number:04d}" for number in range(count)], image_numbers(count),
                    whole(count) if bounds is None else bounds, descriptors=descriptors)


def pair_of(database: np.ndarray, queries: np.ndarray, radius: float = 1.0) -> TraversePair:
    """A pair of traverses of stored descriptors."""
    return TraversePair(traverse_of(database, "database"), traverse_of(queries, "queries"), radius, radius)


def random_pair(count: int = 60, width: int = 24, noise: float = 0.5, season: float = 0.0) -> TraversePair:
    """A route seen twice."""
    database = route_descriptors(count, width)
    return pair_of(database, seen_again(database, noise=noise, season=season))


def tensors(pair: TraversePair) -> tuple[torch.Tensor, torch.Tensor]:
    """The stored descriptors of both traverses."""
    return torch.from_numpy(pair.database.descriptors), torch.from_numpy(pair.queries.descriptors)


def write_images(folder: Path, numbers: list[int], seed: int = 0, noise: float = 20.0) -> Path:
    """Write grey images of 64x32 px, each a smooth pattern of its number, as `image-NNNNN.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in numbers:
        pattern = cv2.resize(np.random.default_rng(1000 + number).uniform(40, 220, (5, 9)).astype(np.float32), (64, 32))
        image = np.clip(pattern + noise * rng.normal(size=pattern.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"image-{number:05d}.png"), image)
    return folder
