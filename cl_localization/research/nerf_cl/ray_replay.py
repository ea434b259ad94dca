"""Replay of single rays: what is kept of the tasks before, and which of it each step sees again (NeRF-CL)."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from cl_localization.continual.admission import AdmissionPolicy, HighestLoss, Reservoir, Strided
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.continual.sampling import sampling_of
from cl_localization.nerf.options import ReplayConfig
from cl_localization.nerf.rays import SeenRays

COLUMNS = tuple(spec.name for spec in fields(SeenRays))
SOFT = "soft"


class RayReplay:
    """Rays of earlier tasks within a bound.

    Attributes:
        buffer: the rays as columns, the loss of each as its trait.
    """

    def __init__(self, config: ReplayConfig, rays: SeenRays, soft: Tensor, losses: Tensor, seed: int) -> None:
        """Fill the buffer.

        Args:
            rays: all of the earlier tasks.
            soft: (N, 3) what the field rendered for them before this task.
            losses: (N,) their squared error by that.
        """
        self.config = config
        self.buffer = ReplayBuffer(filling(config, len(rays)), capacity=config.buffer_size, seed=seed)
        columns = {name: getattr(rays, name).numpy() for name in COLUMNS}
        self.buffer.offer({**columns, SOFT: soft.numpy()}, losses=losses.numpy())
        self.sampling = sampling_of(config.sample_mode, config.exploration_ratio,
                                    config.centre_ratio if config.use_centre_weight else 0.0)

    def draw(self, count: int) -> tuple[np.ndarray, SeenRays]:
        """Return slots and rays for a step; their colours are the soft ones where these are replayed."""
        prior = self.buffer.columns.rows(slice(None))["centredness"] if self.config.use_centre_weight else None
        slots, columns = self.buffer.sample(min(count, len(self.buffer)), self.sampling, prior)
        tensors = {name: torch.from_numpy(values) for name, values in columns.items()}
        if self.config.soft_targets:
            tensors["colours"] = tensors[SOFT]
        return slots, SeenRays(**{name: tensors[name] for name in COLUMNS})

    def update_losses(self, slots: np.ndarray, losses: Tensor) -> None:
        """Keep the newest loss of rays, where that is wanted."""
        if self.config.dynamic_update:
            self.buffer.refresh(slots, losses.cpu().numpy())


def filling(config: ReplayConfig, offered: int) -> AdmissionPolicy:
    """Return the policy that a fill mode names, for a number of rays that are offered at once."""
    if config.fill_mode == "uniform":
        return Strided(max(offered // config.buffer_size, 1))
    if config.fill_mode in ("topk", "lowest"):
        return HighestLoss(lowest=config.fill_mode == "lowest")
    return Reservoir()
