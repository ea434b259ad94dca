"""Replay of single rays of earlier tasks (NeRF-CL)."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from cl_localization.continual.admission import AdmissionPolicy, HighestLoss, Reservoir, Strided
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


def filling(config: ReplayConfig, offered: int) -> AdmissionPolicy:
    """Return the admission policy of a fill mode, for a number of rays offered at once."""
    if config.fill_mode == "uniform":
        return Strided(max(offered // config.buffer_size, 1))
    if config.fill_mode in ("topk", "lowest"):
        return HighestLoss(lowest=config.fill_mode == "lowest")
    return Reservoir()
