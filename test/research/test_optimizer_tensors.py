"""What an optimizer remembers."""

from __future__ import annotations

import pytest
import torch

from cl_localization.research.optimizer_tensors import load_optimizer_tensors, optimizer_tensors


def test_an_optimizer_goes_on_with_what_it_remembered() -> None:
    def trained(steps: int) -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 1)
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        for _ in range(steps):
            step(layer, optimizer)
        return layer, optimizer

    def step(layer: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        layer(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    (layer, optimizer), (whole, _) = trained(3), trained(4)
    again = torch.optim.Adam(layer.parameters(), lr=0.1)
    load_optimizer_tensors(again, optimizer_tensors(optimizer))
    step(layer, again)
    assert torch.equal(layer.weight, whole.weight)
    with pytest.raises(ValueError):
        load_optimizer_tensors(again, {"no number": torch.zeros(1)})
