"""Replay of single rays of earlier tasks (NeRF-CL)."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from cl_localization.continual.admission import DROPPED, AdmissionPolicy, Reservoir, Seen, Traits
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.continual.sampling import sampling_of
from cl_localization.nerf.rays import SeenRays
from cl_localization.research.nerf_cl.options import ReplayConfig

COLUMNS = tuple(spec.name for spec in fields(SeenRays))
SOFT = "soft"


class RayReplay:
    """A bounded buffer of rays of earlier tasks.

    Attributes:
        buffer: the rays as columns, with their losses as traits.
    """

    def __init__(self, config: ReplayConfig, rays: SeenRays, soft: Tensor, losses: Tensor, seed: int) -> None:
        """Fill the buffer.

        Args:
            rays: all rays of the earlier tasks.
            soft: (N, 3) their colours rendered before this task.
            losses: (N,) the squared errors of these colours.
        """
        self.config = config
        self.buffer = ReplayBuffer(filling(config, len(rays)), capacity=config.buffer_size, seed=seed)
        columns = {name: getattr(rays, name).numpy() for name in COLUMNS}
        if config.soft_targets:
            columns[SOFT] = soft.numpy()
        self.buffer.offer(columns, losses=losses.numpy())
        self.sampling = sampling_of(config.sample_mode, config.exploration_ratio,
                                    config.centre_ratio if config.use_centre_weight else 0.0)

    @property
    def size_bytes(self) -> int:
        """Bytes kept."""
        return self.buffer.size_bytes

    def draw(self, count: int) -> tuple[np.ndarray, SeenRays]:
        """Return slots and rays for a step, with the rendered colours if `soft_targets` is set."""
        prior = self.buffer.columns.rows(slice(None))["centredness"] if self.config.use_centre_weight else None
        slots, columns = self.buffer.sample(min(count, len(self.buffer)), self.sampling, prior)
        tensors = {name: torch.from_numpy(values) for name, values in columns.items()}
        if self.config.soft_targets:
            tensors["colours"] = tensors[SOFT]
        return slots, SeenRays(**{name: tensors[name] for name in COLUMNS})

    def update_losses(self, slots: np.ndarray, losses: Tensor) -> None:
        """Update the losses of rays if `dynamic_update` is set."""
        if self.config.dynamic_update:
            self.buffer.refresh(slots, losses.cpu().numpy())


@dataclass(frozen=True)
class HighestLoss:
    """Keeps the items of largest or smallest loss (NeRF-CL's fill modes topk, highest_loss and lowest_loss)."""

    lowest: bool = False

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        return int(stored.losses.argmax() if self.lowest else stored.losses.argmin())

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        utility = np.r_[stored.losses, candidates.losses] * (-1 if self.lowest else 1)
        stays = np.zeros(len(utility), dtype=bool)
        stays[np.argsort(-utility, kind="stable")[:capacity]] = True
        free = np.r_[np.flatnonzero(~stays[:len(stored)]), np.arange(len(stored), min(capacity, len(utility)))]
        slots = np.full(len(candidates), DROPPED)
        chosen = np.flatnonzero(stays[len(stored):])
        slots[chosen] = free[:len(chosen)]
        return slots


@dataclass(frozen=True)
class Strided:
    """Keeps every `stride`-th item until the buffer is full (NeRF-CL's fill mode uniform)."""

    stride: int = 1

    def victim(self, stored: Traits, rng: np.random.Generator) -> int:
        """See `AdmissionPolicy`."""
        return len(stored) - 1

    def slots(self, candidates: Traits, stored: Traits, seen: Seen, capacity: int,
              rng: np.random.Generator) -> np.ndarray:
        """See `AdmissionPolicy`."""
        taken = (seen.total + np.arange(len(candidates))) % self.stride == 0
        slots = np.where(taken, len(stored) + np.cumsum(taken) - 1, DROPPED)
        return np.where(slots < capacity, slots, DROPPED)


def filling(config: ReplayConfig, offered: int) -> AdmissionPolicy:
    """Return the admission policy of a fill mode, for a number of rays offered at once."""
    if config.fill_mode == "uniform":
        return Strided(max(offered // config.buffer_size, 1))
    if config.fill_mode in ("topk", "lowest"):
        return HighestLoss(lowest=config.fill_mode == "lowest")
    return Reservoir()
