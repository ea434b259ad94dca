"""Pre-training of the network that all scenes share, in slices that can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from cl_localization.research.ace.training import one_cycle
from cl_localization.research.ace_g.checkpoint import AttentionModel, load_optimizer, make_network, save_attention
from cl_localization.research.ace_g.options import AttentionConfig
from cl_localization.research.ace_g.processes import Processes
from cl_localization.research.ace_g.sparse_network import sparse_loss
from cl_localization.research.ace_g.sparse_pool import SparsePool

Tell = Callable[[int, int, Tensor], None]
"""Is told how many iterations are done, how many there are, and the loss of the last, which may still be computed."""


class Objective(Protocol):
    """What the iterations of a form are."""

    def loss(self, network: nn.Module, step: int, rng: np.random.Generator) -> tuple[Tensor, bool]:
        """Return the loss of an iteration, and whether the network is to learn from it."""
        ...

    def close(self) -> None:
        """End what works for it meanwhile."""
        ...


@dataclass(frozen=True, eq=False)
class SparseObjective:
    """Iterations of the sparse form. Its memory, the grown map, needs no mapping iterations: all are query
    iterations."""

    pool: SparsePool
    config: AttentionConfig
    device: torch.device

    def loss(self, network: nn.Module, step: int, rng: np.random.Generator) -> tuple[Tensor, bool]:
        """See `Objective`."""
        training = self.config.pretraining
        batch = self.pool.batch(rng.integers(len(self.pool), size=training.features_per_step), self.device)
        hidden = torch.from_numpy(rng.random(batch.known.shape) < training.candidate_dropout).to(self.device)
        hidden &= batch.known.cumsum(1) > 1  # the first stays: some candidate there must be
        known = batch.known & ~hidden
        answer = network(batch.descriptors, batch.keys, batch.scalars, batch.positions, known)
        return sparse_loss(answer, batch.positions, known, batch.points, batch.tolerance).mean(), True

    def close(self) -> None:
        """See `Objective`."""


def pretrain(begun: AttentionModel, objective: Objective, processes: Processes, checkpoint: Path | None = None,
             resume: bool = False,
             tell: Tell = lambda done, total, loss: None) -> AttentionModel:
    """Return a network after all iterations, or as many as the time allows; `extra["steps"]` says how many.

    Everything random follows from the seed and the number of the iteration, so a training that was resumed is the same
    training, unless it is to finish in a time or its scenes are prepared meanwhile.

    Args:
        begun: the network to train, which is changed; `new_model` makes it, or a checkpoint holds it.
        checkpoint: file written every now and then and at the end; None for none.
        resume: whether that file holds the state of the training that `begun` comes from.

    Raises:
        EncoderError: the checkpoint cannot be read, or be written.
    """
    training, network = begun.config.pretraining, begun.network.to(processes.device).train()
    step, before_s, started_s = int(begun.extra.get("steps", 0)), float(begun.extra.get("seconds", 0)), time.monotonic()
    optimizer = torch.optim.AdamW(network.parameters(), lr=training.learning_rate, weight_decay=0.01)
    if resume:
        load_optimizer(optimizer, checkpoint)
    spread, spread_optimizer = processes.setup(network, optimizer)

    def saved() -> AttentionModel:
        model = replace(begun, extra={**begun.extra, "steps": step, "seconds": before_s + time.monotonic() - started_s})
        if checkpoint is not None and processes.rank == 0:
            save_attention(model, checkpoint, optimizer)
        return model

    def progress() -> float:
        spent_s = before_s + time.monotonic() - started_s
        in_time = spent_s / training.finish_seconds if training.finish_seconds else 0.0
        return max(step / training.steps, in_time)

    while (done := progress()) < 1 and not 0 < training.max_seconds < time.monotonic() - started_s:
        for group in spread_optimizer.param_groups:
            group["lr"] = training.learning_rate * one_cycle(done)
        rng = np.random.default_rng([training.seed, step, processes.rank])
        with processes.autocast():
            loss, for_network = objective.loss(spread, step, rng)
        if for_network:
            processes.step(loss, spread_optimizer)
        step += 1
        tell(step, training.steps, loss.detach())
        if step % training.checkpoint_every == 0:
            saved()
    model = saved()
    model.network.cpu().eval()
    return model


def new_model(dim: int, encoder: str, config: AttentionConfig, extra: dict[str, Any] | None = None) -> AttentionModel:
    """Return a model that has learned nothing yet, for features of length `dim` of an encoder."""
    return AttentionModel(make_network(dim, config), config, encoder, {**(extra or {}), "steps": 0})
