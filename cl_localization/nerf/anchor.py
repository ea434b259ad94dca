"""Elastic weight consolidation: a penalty on changes of a field's values from those after earlier tasks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Anchor:
    """Reference values of a field, and their importance.

    Attributes:
        values: a tensor for each tensor of the field.
        importance: same shapes; weight of half the squared distance from the reference, from the loss of earlier rays.
    """

    values: list[Tensor]
    importance: list[Tensor]

    def pull(self, values: list[Tensor]) -> None:
        """Add the gradient of the penalty to that of the field's values."""
        for now, held, importance in zip(values, self.values, self.importance):
            if now.grad is not None:
                now.grad.addcmul_(importance, now.detach() - held)

    def picked(self, at: Tensor) -> Anchor:
        """Return the anchor of rows `at`; negative rows have no penalty."""
        is_old = (at >= 0)[:, None]
        return Anchor(*([torch.where(is_old, part[at.clamp(min=0)], 0.0) for part in parts]
                        for parts in (self.values, self.importance)))

    def on(self, device: torch.device) -> Anchor:
        """Return the anchor on a device."""
        return Anchor(*([part.to(device) for part in parts] for parts in (self.values, self.importance)))
