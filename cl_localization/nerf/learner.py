"""One step of learning: new rays, what the field saw before, and replayed rays, in one loss or as a constraint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.compositing import Rendered
from cl_localization.nerf.options import LearningConfig, NerfConfig
from cl_localization.nerf.rays import RayBundle, Rays, SeenRays


class Field(Protocol):
    """What learning needs of a field; `VoxelField` and `MlpField` have it."""

    optimizer: torch.optim.Optimizer
    anchor: Anchor | None

    @property
    def device(self) -> torch.device:
        """Where the values are."""
        ...

    def take(self, config: NerfConfig) -> None:
        """Go on with other options."""
        ...

    def restart(self, reuse: bool = True) -> None:
        """Get ready for another task; `reuse` looks again at what was found empty."""
        ...

    def render(self, rays: RayBundle, generator: torch.Generator | None = None) -> list[Rendered]:
        """Return what rays see, coarse to fine; a generator adds what is random in training."""
        ...

    def tightened(self, rays: Rays) -> Rays:
        """Return rays without the parts that see nothing."""
        ...

    def before_step(self, step: int, total: int, epoch: float) -> bool:
        """Set learning rates, change cells; return whether `tightened` now gives something else."""
        ...

    def after_backward(self, step: int, rays: int) -> None:
        """Add to the gradient."""
        ...


def learned_values(field: Field) -> list[Tensor]:
    """Return the tensors that a field's optimizer changes."""
    return [values for group in field.optimizer.param_groups for values in group["params"]]


@dataclass(eq=False)
class Batch:
    """Rays with what they should show.

    Attributes:
        weight: of their loss.
        soft: (N, 3) colours that they should show besides, or None.
        soft_weight: of that loss.
    """

    rays: SeenRays
    weight: float = 1.0
    soft: Tensor | None = None
    soft_weight: float = 0.0


@dataclass(eq=False)
class Learned:
    """What a step found: the loss of every ray (N,) by batch, or nothing when the step was skipped."""

    losses: list[Tensor]
    skipped: bool = False

    @property
    def mean(self) -> float:
        """Mean loss of the new rays, NaN when skipped."""
        return float(self.losses[0].mean()) if self.losses and len(self.losses[0]) else math.nan


class Learner:
    """Makes steps with a field.

    Attributes:
        steps: made so far.
        skipped: steps that were left out because the loss or its gradient was not finite.
    """

    def __init__(self, field: Field, config: LearningConfig, generator: torch.Generator) -> None:
        self.field, self.config, self.generator = field, config, generator
        self.steps = self.skipped = 0

    def step(self, batches: list[Batch], constraint: Batch | None = None) -> Learned:
        """Make a step that lowers the loss of `batches`; see A-GEM (ICLR 2019) for the constraint: its loss must not
        rise.

        A step whose loss or gradient is not finite changes nothing and is counted.
        """
        optimizer = self.field.optimizer
        optimizer.zero_grad(set_to_none=True)
        reference = None
        if constraint is not None:
            loss, constrained = self._loss(constraint)
            loss.backward()
            reference = self._gradients()
            optimizer.zero_grad(set_to_none=True)
        found = [self._loss(batch) for batch in batches]
        loss = torch.stack([one for one, _ in found]).sum()
        finite = bool(torch.isfinite(loss.detach()))
        if finite and loss.requires_grad:
            loss.backward()
            self.field.after_backward(self.steps, sum(len(batch.rays) for batch in batches))
            if self.field.anchor is not None:
                self.field.anchor.pull(learned_values(self.field))
            finite = all(bool(torch.isfinite(values).all()) for values in self._gradients())
        self.steps += 1
        if not finite:
            self.skipped += 1
            optimizer.zero_grad(set_to_none=True)
            return Learned([], skipped=True)
        if reference is not None:
            self._project(reference)
        optimizer.step()
        losses = [losses for _, losses in found]
        return Learned([*losses, constrained] if constraint is not None else losses)

    def _loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and (N,) of its rays without gradient."""
        levels = self.field.render(batch.rays, self.generator)
        errors: Any = sum(((level.colours - batch.rays.colours) ** 2).mean(dim=1) for level in levels)
        loss = batch.weight * errors.mean()
        if batch.soft is not None:
            loss = loss + batch.soft_weight * sum(((level.colours - batch.soft) ** 2).mean() for level in levels)
        measured = batch.rays.depths > 0
        if self.config.depth_weight and bool(measured.any()):
            off = sum((level.depths - batch.rays.depths)[measured].abs().sum() for level in levels) / len(batch.rays)
            loss = loss + self.config.depth_weight * batch.weight * off
        return loss, errors.detach()

    def _gradients(self) -> list[Tensor]:
        return [values.grad for values in learned_values(self.field) if values.grad is not None]

    def _project(self, reference: list[Tensor]) -> None:
        """Bend the gradient so that it does not point against the reference: g - (g.r / r.r) r where g.r < 0."""
        gradients = self._gradients()
        if len(gradients) != len(reference):
            return
        product = sum(float((one * other).sum()) for one, other in zip(gradients, reference))
        norm = sum(float((other * other).sum()) for other in reference)
        if product < 0 < norm:
            for one, other in zip(gradients, reference):
                one.sub_(other, alpha=product / norm)


def render_rays(field: Field, rays: RayBundle, chunk: int) -> Rendered:
    """Return what rays see by the finest level of a field, `chunk` of them at once, without anything random, on the
    CPU."""
    parts = []
    with torch.no_grad():
        for begin in range(0, len(rays), chunk):
            part = field.tightened(rays.rows(slice(begin, begin + chunk)).to(field.device))
            level = field.render(part)[-1]
            parts.append(Rendered(level.colours.cpu(), level.depths.cpu(), level.opacities.cpu()))
    return Rendered.joined(parts)
