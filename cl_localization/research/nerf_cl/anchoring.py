"""What holds a field where earlier tasks left it, each value as firmly as what was rendered depends on it.

Elastic weight consolidation (Kirkpatrick et al., PNAS 2017) with the diagonal of the Gauss-Newton matrix. That is close
to the truth for voxels, whose values act on a few rays each: values that earlier rays did not depend on stay free.
"""

from __future__ import annotations

import torch

from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.learner import Field, learned_values
from cl_localization.nerf.rays import RayBundle

RAYS_AT_ONCE = 2048


def anchored(field: Field, rays: RayBundle, strength: float, seed: int) -> Anchor:
    """Return what holds a field where it is, for the sake of what it renders along `rays`.

    The diagonal of the Gauss-Newton matrix is estimated from the gradients of sums of colours with random signs: what
    is mixed cancels in the mean of their squares.

    Args:
        strength: 1 holds as firmly as the loss of `rays` beside that of as many new ones, were values independent of
            each other.
    """
    generator, values = torch.Generator().manual_seed(seed), learned_values(field)
    squares = [torch.zeros_like(each) for each in values]
    order = torch.randperm(len(rays), generator=generator)
    for rows in order.split(RAYS_AT_ONCE):
        levels = field.render(field.tightened(rays.rows(rows).to(field.device)))
        signs = [(torch.randint(0, 2, level.colours.shape, generator=generator) * 2.0 - 1.0).to(field.device)
                 for level in levels]
        total = sum((level.colours * sign).sum() for level, sign in zip(levels, signs))
        gradients = torch.autograd.grad(total, values,
                                        allow_unused=True) if total.requires_grad else [None] * len(values)
        for square, gradient in zip(squares, gradients):
            if gradient is not None:
                square.addcmul_(gradient, gradient)
    # The loss is the mean over rays and three channels of squared errors; half of its second derivative is the squared
    # Jacobian.
    scale = 2.0 * strength / (3 * max(len(rays), 1))
    return Anchor([each.detach().clone() for each in values], [square * scale for square in squares])
