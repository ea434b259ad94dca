"""What an optimizer remembers, as tensors for a file of trained networks and back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return what an optimizer remembers of its parameters, under names NUMBER.KEY."""
    return {f"{number}.{key}": value for number, state in optimizer.state_dict()["state"].items()
            for key, value in state.items() if isinstance(value, Tensor)}


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Have an optimizer of the same parameters remember that; raises ValueError or KeyError for other names or
    parameters."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
