"""Offline learning of one task: passes over all its rays, with what is done to keep the tasks before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.nerf.learner import Batch, Field, Learner
from cl_localization.nerf.rays import SeenRays
from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks
from cl_localization.research.nerf_cl.options import LearningConfig, NerfConfig

AfterEpoch = Callable[["TaskTraining"], None]

DEFAULT_EPOCHS = {"mlp": 16, "voxel": 10}
DEFAULT_BATCH = {"mlp": 1024, "voxel": 4096}


def batch_size(config: NerfConfig) -> int:
    """Return the number of new rays in a step."""
    return config.learning.batch_size or DEFAULT_BATCH[config.field]


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        epoch: passes done, over all tasks.
        first_epoch: of the present task.
        last_epoch: at which it ends.
        step: of the present task.
    """

    epoch: int = 0
    first_epoch: int = 0
    last_epoch: int = 0
    step: int = 0

    def next_task(self, config: NerfConfig) -> None:
        """Begin another task: `num_epochs` counts the passes of all tasks, as in the original; 0 adds the field's own
        number.

        Raises:
            DataError: that many were made already.
        """
        last = config.learning.num_epochs or self.epoch + DEFAULT_EPOCHS[config.field]
        if last <= self.epoch:
            raise DataError("option num_epochs", f"must be more than the {self.epoch} of the checkpoint", last,
                            "it counts those too")
        self.first_epoch, self.last_epoch, self.step = self.epoch, last, 0


class TaskTraining:
    """Trains a field on the rays of one task.

    Attributes:
        progress: where it is; a checkpoint keeps it.
        learner: makes the steps.
        loss: mean loss of the last epoch.
    """

    def __init__(self, field: Field, config: NerfConfig, rays: SeenRays, progress: Progress,
                 earlier: EarlierTasks = EarlierTasks()) -> None:
        """Make a training.

        Args:
            earlier: what is kept of the tasks before.
        """
        if len(rays) == 0:
            raise DataError("task", "must have rays to learn from", 0)
        self.field, self.config, self.rays, self.progress, self.earlier = field, config, rays, progress, earlier
        self.generator = torch.Generator().manual_seed(config.learning.seed + progress.epoch)
        self.learner = Learner(field, config.learning.depth_weight, self.generator)
        self.learner.steps = progress.step
        self.batch_size, self.loss = batch_size(config), float("nan")
        self.steps_per_epoch = -(-len(rays) // self.batch_size)
        self.total_steps = _bounded(config.learning, self.steps_per_epoch
                                    * (progress.last_epoch - progress.first_epoch))

    def run(self, after_epoch: AfterEpoch = lambda training: None) -> None:
        """Train to the last epoch."""
        while self.progress.epoch < self.progress.last_epoch and self.progress.step < self.total_steps:
            self.run_epoch()
            after_epoch(self)

    def run_epoch(self) -> None:
        """Make the steps of one epoch: as many batches as there are rays, drawn from those that can see anything."""
        losses: list[float] = []
        order, tight = torch.zeros(0, dtype=torch.int64), None
        for _ in range(min(self.steps_per_epoch, self.total_steps - self.progress.step)):
            changed = self.field.before_step(self.progress.step, self.total_steps, self._epoch())
            if changed or tight is None:
                tight = self._tightened()
                order = order[:0]
            if len(order) < self.batch_size:
                useful = (tight.far > tight.near).nonzero()[:, 0]
                useful = useful if len(useful) else torch.arange(len(self.rays))
                order = torch.cat([order, useful[torch.randperm(len(useful), generator=self.generator)]])
            rows, order = order[:self.batch_size], order[self.batch_size:]
            losses.append(self._step(tight, rows))
            self.progress.step += 1
        self.progress.epoch += 1
        finite = [value for value in losses if value == value]
        self.loss = sum(finite) / len(finite) if finite else float("nan")

    def _step(self, tight: SeenRays, rows: Tensor) -> float:
        device, options, soft = self.field.device, self.config.replay, self.earlier.soft
        shown = None if soft is None else soft[rows].to(device)
        new = Batch(tight.rows(rows).to(device), soft=shown, soft_weight=options.distillation_weight)
        kept, slots = self.earlier.draw(self.batch_size, options.generated_share, self.generator)
        if kept is None:
            return self.learner.step([new]).mean
        found = self.learner.step([new, Batch(self.field.tightened(kept.to(device)), options.replay_weight)])
        if not found.skipped and self.earlier.replay is not None:
            self.earlier.replay.update_losses(slots, found.losses[1][:len(slots)])
        return found.mean

    def _tightened(self) -> SeenRays:
        chunk = self.config.render.chunk
        parts = [
            self.field.tightened(self.rays.rows(slice(begin, begin + chunk)).to(self.field.device)).to(
                torch.device("cpu")
            )
            for begin in range(0, len(self.rays), chunk)
        ]
        return SeenRays.joined(parts)

    def _epoch(self) -> float:
        return self.progress.step / self.steps_per_epoch


def _bounded(config: LearningConfig, steps: int) -> int:
    return min(steps, config.max_steps) if config.max_steps else steps
