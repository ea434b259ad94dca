"""Anchors: the values of a field are held where earlier tasks left them, each as firmly as what was rendered depends on it.

Elastic weight consolidation (Kirkpatrick et al., PNAS 2017) with the diagonal of the Gauss-Newton matrix. That is close to the truth for
voxels, whose values act on a few rays each: values that earlier rays did not depend on stay free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cl_localization.nerf.rays import RayBundle

if TYPE_CHECKING:
    from cl_localization.nerf.learner import Field

RAYS_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class Anchor:
    """Where the values of a field are held.

    Attributes:
        values: one tensor for each tensor of the field.
        importance: of the same shapes: by how much the loss of earlier rays grows with half the squared distance from there.
    """

    values: list[Tensor]
    importance: list[Tensor]

    def pull(self, values: list[Tensor]) -> None:
        """Add the gradient of this loss to that of the field's values."""
        for now, held, importance in zip(values, self.values, self.importance):
            if now.grad is not None:
                now.grad.addcmul_(importance, now.detach() - held)

    def picked(self, at: Tensor) -> Anchor:
        """Return the anchor of rows `at`; rows that are negative are free."""
        is_old = (at >= 0)[:, None]
        return Anchor(*([torch.where(is_old, part[at.clamp(min=0)], 0.0) for part in parts] for parts in (self.values, self.importance)))

    def on(self, device: torch.device) -> Anchor:
        """Return the anchor on a device."""
        return Anchor(*([part.to(device) for part in parts] for parts in (self.values, self.importance)))


def learned_values(field: Field) -> list[Tensor]:
    """Return the tensors that a field's optimizer changes."""
    return [values for group in field.optimizer.param_groups for values in group["params"]]


def anchored(field: Field, rays: RayBundle, strength: float, seed: int) -> Anchor:
    """Return what holds a field where it is, for the sake of what it renders along `rays`.

    The diagonal of the Gauss-Newton matrix is estimated from the gradients of sums of colours with random signs: what is mixed cancels in
    the mean of their squares.

    Args:
        strength: 1 holds as firmly as the loss of `rays` beside that of as many new ones, were values independent of each other.
    """
    generator, values = torch.Generator().manual_seed(seed), learned_values(field)
    squares = [torch.zeros_like(each) for each in values]
    order = torch.randperm(len(rays), generator=generator)
    for rows in order.split(RAYS_AT_ONCE):
        levels = field.render(field.tightened(rays.rows(rows).to(field.device)))
        signs = [(torch.randint(0, 2, level.colours.shape, generator=generator) * 2.0 - 1.0).to(field.device) for level in levels]
        total = sum((level.colours * sign).sum() for level, sign in zip(levels, signs))
        gradients = torch.autograd.grad(total, values, allow_unused=True) if total.requires_grad else [None] * len(values)
        for square, gradient in zip(squares, gradients):
            if gradient is not None:
                square.addcmul_(gradient, gradient)
    # The loss is the mean over rays and three channels of squared errors; half of its second derivative is the squared Jacobian.
    scale = 2.0 * strength / (3 * max(len(rays), 1))
    return Anchor([each.detach().clone() for each in values], [square * scale for square in squares])
