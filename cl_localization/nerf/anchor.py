"""Anchors: the values of a field are held where earlier tasks left them (elastic weight consolidation)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Anchor:
    """Where the values of a field are held.

    Attributes:
        values: one tensor for each tensor of the field.
        importance: of the same shapes: by how much the loss of earlier rays grows with half the squared distance from
            there.
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
        return Anchor(*([torch.where(is_old, part[at.clamp(min=0)], 0.0) for part in parts]
                        for parts in (self.values, self.importance)))

    def on(self, device: torch.device) -> Anchor:
        """Return the anchor on a device."""
        return Anchor(*([part.to(device) for part in parts] for parts in (self.values, self.importance)))
