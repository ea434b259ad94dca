"""Files of networks: read back as written, refused with the kind of error and the name that their owner gave."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_localization.data.network_file import NetworkFile, with_prefix
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
