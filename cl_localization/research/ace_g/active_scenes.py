"""The scenes that are being mapped at a time, side by side on the device: features, points, and codes with their
optimizer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.research.ace_g.augmentation import SceneChange
from cl_localization.research.ace_g.code_mapping import learning_rate_share
from cl_localization.research.ace_g.code_network import CODE_SCALE
from cl_localization.research.ace_g.code_pool import CodeScene, KnownPoints
from cl_localization.research.ace_g.options import AttentionConfig

CAPACITY = 1 << 15
"""Features of a part that are held on the device; of more, as many are drawn."""

BETAS, EPSILON, WEIGHT_DECAY = (0.9, 0.999), 1e-8, 0.01
"""Of AdamW, as PyTorch has them."""


class HeldPoints:
    """Features (S, T, D) and points (S, T, 3) of one part of S scenes, of which the first `counts` (S,) are known."""

    def __init__(self, scenes: int, dim: int, device: torch.device) -> None:
        self.features = torch.zeros(scenes, CAPACITY, dim, dtype=torch.float16, device=device)
        self.points_m = torch.zeros(scenes, CAPACITY, 3, device=device)
        self.counts = torch.zeros(scenes, 1, dtype=torch.long, device=device)

    def put(self, slot: int, known: KnownPoints, change: SceneChange, rng: np.random.Generator) -> None:
        """Hold a part in a place, its points changed."""
        features, points_m = known.features, known.points_m
        if len(features) > CAPACITY:
            rows = torch.from_numpy(rng.permutation(len(features))[:CAPACITY])
            features, points_m = features[rows], points_m[rows]
        moved_m = points_m @ torch.from_numpy(change.linear).T + torch.from_numpy(change.shift_m)
        self.features[slot, :len(features)] = features.to(self.features.device)
        self.points_m[slot, :len(features)] = moved_m.to(self.points_m.device)
        self.counts[slot] = len(features)

    def batch(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return features (S, count, D) and points (S, count, 3), drawn at random."""
        scenes = len(self.counts)
        share = torch.rand(scenes, count, generator=generator, device=self.counts.device)
        rows = torch.minimum((share * self.counts).long(), self.counts - 1)
        slots = torch.arange(scenes, device=rows.device)[:, None]
        return self.features[slots, rows].float(), self.points_m[slots, rows]


@dataclass(eq=False)
class ActiveScenes:
    """S scenes that are being mapped: their parts, codes (S, M, width), the moments of AdamW, and ages (S,): the
    mapping iterations that each has had. All codes are changed at once, each with the learning rate of its age."""

    def __init__(self, dim: int, config: AttentionConfig, device: torch.device) -> None:
        """Make room for as many scenes as the configuration says; `put` fills it."""
        network, training = config.network, config.pretraining
        self.scenes, self.device, self.life = training.active_scenes, device, training.code_life
        self.mapping, self.queries = (HeldPoints(self.scenes, dim, device) for _ in range(2))
        self.codes = torch.zeros(self.scenes, network.codes, network.width, device=device)
        self._mean, self._square = torch.zeros_like(self.codes), torch.zeros_like(self.codes)
        self._steps = torch.zeros(self.scenes, 1, 1, device=device)
        self._rates = training.code_learning_rate * torch.tensor(
            [learning_rate_share(age / self.life) for age in range(self.life)], device=device)
        self.ages = np.full(self.scenes, self.life)

    def ended(self) -> np.ndarray:
        """Return the places of scenes whose codes have lived their life, at first of all."""
        return np.flatnonzero(self.ages >= self.life)

    def put(self, slot: int, scene: CodeScene, change: SceneChange, rng: np.random.Generator, age: int = 0) -> None:
        """Begin a scene with new codes."""
        self.mapping.put(slot, scene.mapping, change, rng)
        self.queries.put(slot, scene.queries, change, rng)
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        self.codes[slot] = (CODE_SCALE * torch.randn(self.codes.shape[1:], generator=generator)).to(self.device)
        for state in (self._mean, self._square, self._steps):
            state[slot] = 0
        self.ages[slot] = age

    @torch.no_grad()
    def learn(self, gradients: Tensor) -> None:
        """Change the codes by their gradients (S, M, width): a step of AdamW for each scene; all are older then."""
        self._steps += 1
        self._mean.lerp_(gradients, 1 - BETAS[0])
        self._square.lerp_(gradients.square(), 1 - BETAS[1])
        rates = self._rates[torch.from_numpy(self.ages).to(self.device)][:, None, None]
        root = (self._square / (1 - BETAS[1] ** self._steps)).sqrt_().add_(EPSILON)
        change = self._mean / root / (1 - BETAS[0] ** self._steps)
        self.codes.mul_(1 - WEIGHT_DECAY * rates).sub_(rates * change)
        self.ages += 1
