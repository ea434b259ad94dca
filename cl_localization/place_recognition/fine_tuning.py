"""Fine-tuning live: descriptors of keyframes are moved towards images that showed the same place at another time.

Only what the map keeps is transformed, by one linear map, a 1x1 convolution; images are compared as they come. For ranking, transforming
both sides by W is the same as transforming keyframes by the product of W's transpose and W, so nothing is lost, and who searches the map
needs to know of nothing: a new version is other descriptors of keyframes. A version is only taken when it finds more of the held-out
revisits than the one in use.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LEARNING_RATE = 1e-3
TEMPERATURE = 0.05
STAY = 0.015
"""Weight of the squared change of the matrix, summed: few revisits must not turn everything about."""

BATCH = 64
FAR = -1e4


@dataclass(frozen=True, eq=False)
class Revisits:
    """Images of places that keyframes show, too.

    Attributes:
        images: (P, D) unit descriptors.
        keyframes: (K, D) unit descriptors as they were before any transform.
        same: (P, K) bool, the keyframes that show the image's place from another time.
        ignored: (P, K) bool, those that count neither way: of the same drive, or half the same place.
    """

    images: np.ndarray
    keyframes: np.ndarray
    same: np.ndarray
    ignored: np.ndarray

    def of(self, rows: np.ndarray) -> Revisits:
        """Return those of some images, by mask or index."""
        return Revisits(self.images[rows], self.keyframes, self.same[rows], self.ignored[rows])


class KeyframeTransform:
    """The matrix in use, and the one that learns.

    Attributes:
        matrix: (D, D) float32 in use; the identity before anything was learned.
        steps: of the optimizer.
    """

    def __init__(self, dim: int, seed: int = 0) -> None:
        self.matrix = np.eye(dim, dtype=np.float32)
        self.steps = 0
        self._learned = torch.eye(dim, requires_grad=True)
        self._identity = torch.eye(dim)
        self._optimizer = torch.optim.Adam([self._learned], LEARNING_RATE)
        self._generator = torch.Generator().manual_seed(seed)

    def learn(self, revisits: Revisits, seconds: float, max_steps: int = 1_000_000) -> None:
        """Learn for a while; the matrix in use stays."""
        columns = revisits.images, revisits.keyframes, revisits.same, revisits.ignored
        tensors = [torch.from_numpy(np.asarray(values)) for values in columns]
        until_s, until_steps = time.perf_counter() + seconds, self.steps + max_steps
        while time.perf_counter() < until_s and self.steps < until_steps:
            rows = torch.randperm(len(revisits.images), generator=self._generator)[:BATCH]
            images, keyframes, same, ignored = tensors[0][rows], tensors[1], tensors[2][rows], tensors[3][rows]
            loss = self._loss(images, keyframes, same, ignored)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()
            self.steps += 1

    def take_if_better(self, held_out: Revisits) -> bool:
        """Use what was learned if it finds more of the revisits that were not learned from; return whether it is used now."""
        learned = self._learned.detach().numpy().copy()
        if recall(learned, held_out) <= recall(self.matrix, held_out):
            return False
        self.matrix = learned
        return True

    def applied(self, keyframes: np.ndarray) -> np.ndarray:
        """Return descriptors (K, D) of keyframes as the matrix in use makes them, unit length."""
        return _transformed(self.matrix, keyframes)

    def _loss(self, images: Tensor, keyframes: Tensor, same: Tensor, ignored: Tensor) -> Tensor:
        """Return how little likeness keyframes of the same place have among all: cross-entropy with several right answers."""
        transformed = [torch.nn.functional.normalize(side @ self._learned.T, dim=1) for side in (images, keyframes)]
        likeness = (transformed[0] @ transformed[1].T / TEMPERATURE).masked_fill(ignored, FAR)
        right = torch.logsumexp(likeness.masked_fill(~same, FAR), dim=1)
        stay = STAY * ((self._learned - self._identity) ** 2).sum()
        return (torch.logsumexp(likeness, dim=1) - right).mean() + stay


def recall(matrix: np.ndarray, revisits: Revisits) -> float:
    """Return the share of images whose most alike keyframe, those ignored left out, shows the same place; 0 without images."""
    if len(revisits.images) == 0:
        return 0.0
    likeness = np.where(revisits.ignored, -np.inf, revisits.images @ _transformed(matrix, revisits.keyframes).T)
    return float(revisits.same[np.arange(len(likeness)), likeness.argmax(axis=1)].mean())


def _transformed(matrix: np.ndarray, keyframes: np.ndarray) -> np.ndarray:
    moved = keyframes @ matrix.T
    moved = (moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)) @ matrix
    return moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)
