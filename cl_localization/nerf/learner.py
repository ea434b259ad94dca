"""Training steps of a field, with new rays, replayed rays and soft targets, in one loss or with a constraint."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.compositing import Rendered
from cl_localization.nerf.rays import RayBundle, Rays, SeenRays


class Field(Protocol):
    """The interface of fields for training, implemented by `VoxelField` and `MlpField`."""

    optimizer: torch.optim.Optimizer
    anchor: Anchor | None

    @property
    def device(self) -> torch.device:
        """Device of the values."""
        ...

    def restart(self, reuse: bool = True) -> None:
        """Prepare for another task; `reuse` uses cells again that were empty."""
        ...

    def render(self, rays: RayBundle, generator: torch.Generator | None = None) -> list[Rendered]:
        """Return the rendered rays, coarse to fine; a generator randomizes the samples, for training."""
        ...

    def tightened(self, rays: Rays) -> Rays:
        """Return rays without their empty parts."""
        ...

    def before_step(self, step: int, total: int, epoch: float) -> bool:
        """Set learning rates and update cells; return whether the results of `tightened` change."""
        ...

    def after_backward(self, step: int, rays: int) -> None:
        """Add regularization gradients."""
        ...


def learned_values(field: Field) -> list[Tensor]:
    """Return the tensors that a field's optimizer updates."""
    return [values for group in field.optimizer.param_groups for values in group["params"]]


@dataclass(eq=False)
class Batch:
    """Rays with their targets.

    Attributes:
        weight: weight of their loss.
        soft: (N, 3) additional target colours (distillation), or None.
        soft_weight: weight of that loss.
    """

    rays: SeenRays
    weight: float = 1.0
    soft: Tensor | None = None
    soft_weight: float = 0.0


@dataclass(eq=False)
class Learned:
    """The result of a step: the loss of every ray (N,) by batch, empty if the step was skipped."""

    losses: list[Tensor]
    skipped: bool = False

    @property
    def mean(self) -> float:
        """Mean loss of the new rays; NaN if skipped."""
        return float(self.losses[0].mean()) if self.losses and len(self.losses[0]) else math.nan


class Learner:
    """Trains a field.

    Attributes:
        steps: number of steps so far, including skipped ones.
        skipped: number of steps skipped because loss or gradient was not finite.
    """

    def __init__(self, field: Field, depth_weight: float, generator: torch.Generator) -> None:
        """Train `field`; `depth_weight` is that of the depth error [m] of rays with measured depth."""
        self.field, self.depth_weight, self.generator = field, depth_weight, generator
        self.steps = self.skipped = 0

    def step(self, batches: list[Batch], constraint: Batch | None = None) -> Learned:
        """Make a step on the loss of `batches` that does not increase the loss of `constraint` (A-GEM, ICLR 2019).

        It is skipped if loss or gradient is not finite.
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
        """Return the loss of a batch, and the loss (N,) of its rays without gradient."""
        levels = self.field.render(batch.rays, self.generator)
        errors: Any = sum(((level.colours - batch.rays.colours) ** 2).mean(dim=1) for level in levels)
        loss = batch.weight * errors.mean()
        if batch.soft is not None:
            loss = loss + batch.soft_weight * sum(((level.colours - batch.soft) ** 2).mean() for level in levels)
        measured = batch.rays.depths > 0
        if self.depth_weight and bool(measured.any()):
            off = sum((level.depths - batch.rays.depths)[measured].abs().sum() for level in levels) / len(batch.rays)
            loss = loss + self.depth_weight * batch.weight * off
        return loss, errors.detach()

    def _gradients(self) -> list[Tensor]:
        return [values.grad for values in learned_values(self.field) if values.grad is not None]

    def _project(self, reference: list[Tensor]) -> None:
        """Project the gradient g so that it does not oppose the reference r: g - (g.r / r.r) r if g.r < 0."""
        gradients = self._gradients()
        if len(gradients) != len(reference):
            return
        product = sum(float((one * other).sum()) for one, other in zip(gradients, reference))
        norm = sum(float((other * other).sum()) for other in reference)
        if product < 0 < norm:
            for one, other in zip(gradients, reference):
                one.sub_(other, alpha=product / norm)


def render_rays(field: Field, rays: RayBundle, chunk: int) -> Rendered:
    """Render rays with a field's finest level, `chunk` rays at a time, deterministically; the result is on the CPU."""
    parts = []
    with torch.no_grad():
        for begin in range(0, len(rays), chunk):
            part = field.tightened(rays.rows(slice(begin, begin + chunk)).to(field.device))
            level = field.render(part)[-1]
            parts.append(Rendered(level.colours.cpu(), level.depths.cpu(), level.opacities.cpu()))
    return Rendered.joined(parts)
