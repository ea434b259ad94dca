"""`train ace` and `test ace` on a small folder of images."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from cl_localization.cli.main import main
from cl_localization.config import EncoderConfig
from cl_localization.research.ace.head import AceHead
from cl_localization.research.ace.model_file import save_head
from data.scene_makers import write_twelve


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    """A scene of three posed images."""
    return write_twelve(tmp_path_factory.mktemp("ace"), ("apt1/kitchen",)) / "12Scenes" / "apt1" / "kitchen"


def test_a_head_is_learned_and_tested(room: Path, tmp_path: Path, capsys) -> None:
    model, result = tmp_path / "m.safetensors", tmp_path / "r.json"
    train = ["train", "ace", str(room), "--out", str(model), "--max-steps", "3", "--max-seconds", "600", "--batch-size",
             "64",
             "--width", "16", "--head-blocks", "0", "--threads", "1", "--encoder.max-keypoints", "100"]
    assert main(train) == 0 and model.is_file()
    assert main(["test", "ace", str(model), str(room), "--json", str(result), "--threads", "1"]) == 0
    content = json.loads(result.read_text())
    assert content["frames"] == 3 and content["learned_from"] == [str(room)] and "within_5cm_5deg_percent" in content
    assert re.search(r"steps\s+│\s+3 ", capsys.readouterr().out)


def test_what_cannot_be_done_is_one_line(room: Path, tmp_path: Path, capsys) -> None:
    save_head(AceHead(7, torch.zeros(3), 0, 8), EncoderConfig(), tmp_path / "seven.safetensors")
    bare = tmp_path / "bare"
    bare.mkdir()
    for words, message in [
        (["train", "ace", "--out", str(tmp_path / "n.safetensors")], "needs at least one sequence|required"),
        (["train", "ace", str(bare), "--out", str(tmp_path / "n.safetensors")], "has no layout that is recognised"),
        (["test", "ace", str(tmp_path / "none"), str(room)], "model .*none must be a file"),
        (["test", "ace", str(tmp_path / "seven.safetensors"), str(room)],
         "must take the encoder's features of 64 numbers, found 7")]:
        capsys.readouterr()
        assert main(words) == 1, words
        assert re.search(message, capsys.readouterr().err), words
