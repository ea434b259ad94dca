"""Files of networks: read back as written, refused with the kind of error and the name that their owner gave."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_localization.data.network_file import NetworkFile, load_optimizer_tensors, optimizer_tensors, with_prefix
from cl_localization.errors import DataError, EncoderError

FILE = NetworkFile("a_kind", "checkpoint", DataError)


def test_tensors_and_metadata_are_read_back(tmp_path: Path) -> None:
    FILE.write(tmp_path / "a", {"net.w": torch.arange(6.0).reshape(2, 3).T, "other": torch.zeros(1)}, {"note": "x"})
    tensors, metadata = FILE.read(tmp_path / "a")
    assert metadata["note"] == "x" and list(with_prefix(tensors, "net.")) == ["w"]
    assert torch.equal(tensors["net.w"], torch.arange(6.0).reshape(2, 3).T)


def test_every_fault_is_the_owners_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with pytest.raises(DataError, match="checkpoint .*a must be a file, found nothing there; train one first"):
        FILE.read(path)
    FILE.write(path, {"w": torch.zeros(3)}, {})
    with pytest.raises(EncoderError, match="model .*a must be of format another, found a_kind"):
        NetworkFile("another").read(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="must be a whole safetensors file.*truncated, damaged or no checkpoint"):
        FILE.read(path)
    with pytest.raises(DataError, match="must be writable.*nothing was changed"):
        FILE.write(Path("/dev/null/a"), {"w": torch.zeros(3)}, {})


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
