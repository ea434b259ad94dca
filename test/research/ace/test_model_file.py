"""Heads on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cl_localization.config import EncoderConfig
from cl_localization.data.network_file import NetworkFile
from cl_localization.errors import EncoderError
from cl_localization.research.ace.head import AceHead
from cl_localization.research.ace.model_file import load_head, save_head


def test_a_head_comes_back_in_half_precision_with_its_encoder_and_exact_mean(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = AceHead(64, torch.tensor([100.001, 2.0, 3.0]), 2, 32).eval()
    save_head(head, EncoderConfig(max_keypoints=99), tmp_path / "a.safetensors", {"sequences": ["here"]})
    again, encoder, extra = load_head(tmp_path / "a.safetensors")
    features = torch.randn(10, 64)
    assert torch.allclose(again(features), head(features), atol=0.05) and torch.equal(again.mean_m, head.mean_m)
    assert (
        encoder.max_keypoints == 99
        and extra == {"sequences": ["here"]}
        and (again.dim, again.width, len(again.blocks)) == (64, 32, 2)
    )


def test_the_published_head_takes_four_megabytes(tmp_path: Path) -> None:
    save_head(AceHead(512, torch.zeros(3)), EncoderConfig(), tmp_path / "a.safetensors")
    assert 4.1e6 < (tmp_path / "a.safetensors").stat().st_size < 4.3e6


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(EncoderError, match="must be a file"):
        load_head(path)
    NetworkFile("cl_localization_dense").write(path, {}, {})
    with pytest.raises(EncoderError, match="must be of format cl_localization_ace, found cl_localization_dense"):
        load_head(path)
    made = {"dim": 64, "blocks": 1, "width": 32, "encoder": {}}
    NetworkFile("cl_localization_ace").write(path, {}, made)
    with pytest.raises(EncoderError, match="must take features as they are now, found one for features of unit length"):
        load_head(path)
    NetworkFile("cl_localization_ace").write(path, {}, {**made, "features": "tokens"})
    with pytest.raises(EncoderError, match="must have parts that fit together"):
        load_head(path)
