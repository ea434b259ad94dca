"""Training in one process or, started by torchrun, in several: Lightning Fabric joins them.

Every process draws features of its own from the same pool; gradients are averaged. One process needs no other library.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Protocol

import torch
from torch import Tensor, nn

from cl_localization.errors import ConfigError

WORLD_SIZE = "WORLD_SIZE"
"""torchrun tells each process by this variable how many there are."""


class Processes(Protocol):
    """How a training is spread.

    Attributes:
        rank, count: the number of this process, and how many there are.
        device: of this process.
    """

    rank: int
    count: int
    device: torch.device

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Return network and optimizer to train with."""
        ...

    def autocast(self) -> AbstractContextManager:
        """Return the context in which the network is called."""
        ...

    def step(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Go one step down the gradient of a loss, averaged over all processes."""
        ...


class OneProcess:
    """The training of one process, with mixed precision where it is asked for; see `Processes`."""

    rank, count = 0, 1

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self._dtype = {"16-mixed": torch.float16, "bf16-mixed": torch.bfloat16}.get(precision)
        if precision == "16-mixed" and device.type == "cpu":
            self._dtype = torch.bfloat16  # a CPU has no use for the other half precision
        self._scaler = torch.amp.GradScaler(device.type, enabled=self._dtype is torch.float16)

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """See `Processes`."""
        return network, optimizer

    def autocast(self) -> AbstractContextManager:
        """See `Processes`."""
        return torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None)

    def step(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """See `Processes`."""
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        self._scaler.step(optimizer)
        self._scaler.update()


class FabricProcesses:
    """The training of several processes; see `Processes`."""

    def __init__(self, device: torch.device, precision: str, count: int) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError as error:
            raise ConfigError("training in several processes", "needs the package lightning-fabric",
                              f"{WORLD_SIZE}={count}",
                              "pip install 'cl_localization[distributed]'") from error
        self._fabric = Fabric(accelerator=device.type, devices=int(os.environ.get("LOCAL_WORLD_SIZE", count)),
                              num_nodes=count // int(os.environ.get("LOCAL_WORLD_SIZE", count)), precision=precision,
                              strategy="ddp")
        self._fabric.launch()
        self.rank, self.count, self.device = self._fabric.global_rank, self._fabric.world_size, self._fabric.device

    def setup(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[nn.Module, torch.optim.Optimizer]:
        """See `Processes`."""
        return self._fabric.setup(network, optimizer)

    def autocast(self) -> AbstractContextManager:
        """See `Processes`."""
        return self._fabric.autocast()

    def step(self, loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """See `Processes`."""
        optimizer.zero_grad()
        self._fabric.backward(loss)
        optimizer.step()


def make_processes(device: torch.device, precision: str) -> Processes:
    """Return how this training is spread: as torchrun says, else one process.

    Raises:
        ConfigError: there are several processes and Lightning Fabric is missing.
    """
    count = int(os.environ.get(WORLD_SIZE, "1"))
    return OneProcess(device, precision) if count == 1 else FabricProcesses(device, precision, count)
