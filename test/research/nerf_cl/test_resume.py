from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.cli.main import main
from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint, save_checkpoint
from cl_localization.research.nerf_cl.making import make_field
from cl_localization.research.nerf_cl.options import STREAM_VALUES, NerfConfig
from cl_localization.research.nerf_cl.resume import go_on_with, with_field_options
from nerf_makers import write_scene

BOX = (np.full(3, -1.0), np.full(3, 1.0))
TINY = {"voxel.voxels": 600, "voxel.upsample_at": "", "voxel.harmonics": 0, "mlp.layers": 2, "mlp.width": 4,
        "render.importance_samples": 4,
        "render.in_disparity": True, "near": 1.5}


def saved(folder: Path, **changes: object) -> Path:
    config = with_values(NerfConfig(), {**TINY, **changes})
    save_checkpoint(Checkpoint(make_field(config, BOX, 1.0), config, 1.0, tasks=("right",)), folder / "c.safetensors")
    return folder / "c.safetensors"


def value_after(words: list[str], flag: str) -> list[str]:
    return [following for word, following in zip(words, [*words[1:], ""]) if word == flag]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_scene(tmp_path_factory.mktemp("balls"), {"train": 6, "val": 2, "test": 4}, 8))


def test_options_of_the_field_come_from_the_checkpoint_unless_they_are_given(tmp_path: Path) -> None:
    words = ["--ckpt-path", str(saved(tmp_path)), "--voxel.density-rate", "0.25", "--near=1.75"]
    told = with_field_options(words)
    assert told[:len(words)] == words
    assert value_after(told, "--voxel.voxels") == ["600"] and value_after(told, "--voxel.density-rate") == ["0.25"]
    assert value_after(told, "--voxel.upsample-at") == [""] and "--near" not in told and "--render.in-disparity" in told
    assert not any(word.startswith(("--replay", "--learning", "--online")) for word in told)


def test_options_of_a_file_win_over_those_of_the_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("voxel:\n  colour_rate: 0.02\n")
    told = with_field_options([f"--ckpt-path={saved(tmp_path)}", "--config", str(tmp_path / "o.yaml")])
    assert "--voxel.colour-rate" not in told and "--voxel.density-rate" in told


def test_streams_have_rates_and_grids_of_their_own_unless_these_are_given(tmp_path: Path) -> None:
    told = with_field_options(["--online-mode", "--voxel.final-rate", "0.7"])
    assert value_after(told, "--voxel.final-rate") == ["0.7"]
    assert value_after(told, "--voxel.upsample-at") == [STREAM_VALUES["voxel.upsample_at"]]
    told = with_field_options(["--online-mode", "--ckpt-path", str(saved(tmp_path))])
    assert value_after(told, "--voxel.final-rate") == ["0.1"] and value_after(told, "--voxel.upsample-at") == [""]


def test_words_without_a_checkpoint_that_is_there_stay_as_they_are() -> None:
    assert with_field_options(["--near", "1"]) == ["--near", "1"]
    assert with_field_options(["--ckpt-path", "nowhere"]) == ["--ckpt-path", "nowhere"]


def test_rates_steps_and_variation_are_taken_for_what_follows(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(saved(tmp_path))
    new = with_values(checkpoint.config, {"voxel.density_rate": 0.25, "voxel.step": 1.0, "voxel.density_variation": 0.5,
                                          "far": 7.0})
    go_on_with(checkpoint, new)
    field = checkpoint.field
    assert checkpoint.config == new and field.config == new.voxel and field.far == 7.0
    field.before_step(0, 10)
    assert [group["lr"] for group in field.optimizer.param_groups] == [0.25, new.voxel.colour_rate]


@pytest.mark.parametrize("change", [{"voxel.voxels": 700}, {"voxel.upsample_at": "0.1"}, {"voxel.growth": 2.0},
                                    {"voxel.harmonics": 1},
                                    {"field": "mlp"}, {"background": "black"}, {"mlp.width": 8},
                                    {"render.importance_samples": 0}])
def test_options_that_a_field_has_for_good_cannot_be_changed(tmp_path: Path, change: dict[str, object]) -> None:
    checkpoint = load_checkpoint(saved(tmp_path))
    with pytest.raises(ConfigError, match=f"option {next(iter(change))} must stay that of the checkpoint"):
        go_on_with(checkpoint, with_values(checkpoint.config, change))


def test_another_optimizer_of_a_network_is_taken_and_the_same_one_goes_on(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(saved(tmp_path, field="mlp"))
    before = checkpoint.field.optimizer
    go_on_with(checkpoint, with_values(checkpoint.config, {"learning.learning_rate": 0.1}))
    assert checkpoint.field.optimizer is before
    go_on_with(checkpoint, with_values(checkpoint.config, {"learning.optimizer": "sgd", "learning.momentum": 0.5}))
    assert isinstance(checkpoint.field.optimizer, torch.optim.SGD)


def test_a_second_task_learns_with_the_options_that_it_is_given(root: str, tmp_path: Path,
                                                                capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    line = ["train", "nerf", "--root_dir", root, "--img_wh", "8", "8", "--threads", "1", "--learning.batch-size", "128",
            "--continual_mode"]
    assert main([*line, "--train_view", "right", "--num_epochs", "1", "--out", str(first), "--voxel.voxels", "600",
                 "--voxel.upsample_at", "", "--voxel.final-rate", "0.5"]) == 0
    again = [*line, "--train_view", "left", "--num_epochs", "2", "--ckpt_path", str(first), "--out", str(second)]
    assert main([*again, "--voxel.density_rate", "0.000001", "--voxel.colour-rate=0.000001", "--voxel.prune-every",
                 "99"]) == 0
    one, two = load_checkpoint(first), load_checkpoint(second)
    assert (two.config.voxel.voxels, two.config.voxel.final_rate, two.config.voxel.prune_every) == (600, 0.5, 99)
    assert len(two.field.density) >= len(one.field.density)
    kept = two.field.cells.row_of[one.field.cells.corner_numbers].long()
    assert torch.allclose(two.field.density[kept], one.field.density, atol=1e-3)
    assert main([*again, "--voxel.voxels", "700"]) == 1
    assert "option voxel.voxels must stay that of the checkpoint, 600" in " ".join(capsys.readouterr().err.split())
