"""Checkpoints under the authors' names of layers, of very small networks, beside the files of their data package."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.cli.main import main
from cl_localization.errors import DataError, EncoderError
from cl_localization.research.hscnet import released
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.released import HSCNET_NAMES, SCRNET_NAMES, read_released
from cl_localization.research.hscnet.scene_groups import SEVEN_SCENES
from cl_localization.research.hscnet.training import DenseTrainer
from data.scene_makers import write_seven

MIDDLE_M = (0.5, -0.25, 1.0)


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """Released networks are 0.02 times as wide as published."""
    monkeypatch.setattr(released, "DenseTrainingConfig", functools.partial(DenseTrainingConfig, width=0.02))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = write_seven(tmp_path_factory.mktemp("data"), ("chess", "heads"))
    for number, name in enumerate(SEVEN_SCENES):
        scene = folder / "7Scenes" / name
        scene.mkdir(exist_ok=True)
        np.save(scene / "centers.npy", np.random.default_rng(number).normal(size=(625, 3)))
        (scene / "translation.txt").write_text("{} {} {}\n".format(*MIDDLE_M))
    return folder


def write_released(path: Path, model: str, scenes: int) -> DenseTrainer:
    """Write a network under the authors' names; return it."""
    trainer = DenseTrainer(scenes, DenseTrainingConfig(model=model, width=0.02))
    theirs = {ours: name for name, ours in (HSCNET_NAMES if model == "hscnet" else SCRNET_NAMES).items()}
    state = {}
    for name, value in trainer.network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        state[f"{theirs[layer]}.{kind}"] = value
    torch.save({"epoch": 3, "model_state": state, "optimizer_state": trainer.optimizer.state_dict()}, path)
    trainer.network.eval()
    return trainer


@pytest.mark.parametrize("model, dataset, scene, scenes", [("hscnet", "7S", "heads", 1), ("hscnet", "i7S", "", 7),
                                                           ("scrnet", "i7S", "", 7)])
def test_a_released_network_says_what_it_said(data: Path, tmp_path: Path, model: str, dataset: str, scene: str,
                                              scenes: int) -> None:
    expected = write_released(tmp_path / "model.pkl", model, scenes)
    trainer, frames = read_released(tmp_path / "model.pkl", dataset, scene, data)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        one, other = expected.network(images), trainer.network(images)
    assert torch.equal(one.coordinates_m, other.coordinates_m)
    assert all(torch.equal(a, b) for a, b in zip(one.logits, other.logits))
    offset_m = np.array(SEVEN_SCENES["fire"] if scenes > 1 else (0, 0, 0))
    np.testing.assert_allclose(frames.shifts_m[int(scenes > 1)], offset_m - MIDDLE_M)
    if model == "hscnet":
        name = "fire" if scenes > 1 else "heads"
        centres_m = np.load(data / "7Scenes" / name / "centers.npy") + offset_m
        first = 625 * (scenes > 1)
        np.testing.assert_allclose(trainer.leaf_centres_m()[first:first + 625], centres_m, rtol=1e-6)


def test_the_line_of_the_original_readme_tests_and_converts_it(data: Path, tmp_path: Path, capsys) -> None:
    write_released(tmp_path / "model.pkl", "hscnet", 7)
    line = f"test hscnet --model hscnet --dataset i7S --scene heads --data_path {data} --device cpu --json "
    both = tmp_path / "theirs.json", tmp_path / "ours.json"
    convert = f" --checkpoint {tmp_path / 'model.pkl'} --convert {tmp_path / 'm.safetensors'}"
    assert main((line + str(both[0]) + convert).split()) == 0
    assert main((line + str(both[1]) + f" --checkpoint {tmp_path / 'm.safetensors'}").split()) == 0
    theirs, ours = (json.loads(path.read_text())["scenes"]["heads"]["median_translation_cm"] for path in both)
    assert theirs is not None and theirs == ours
    again = line + str(both[1]) + f" --checkpoint {tmp_path / 'm.safetensors'} --convert {tmp_path / 'n.safetensors'}"
    assert main(again.split()) == 1 and "option convert is for checkpoints" in capsys.readouterr().err


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_nothing_runs_from_a_checkpoint_or_from_centres(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    torch.save({"model_state": Harmful(run)}, tmp_path / "model.pkl")
    with pytest.raises(EncoderError, match="must hold model_state, tensors by name, and nothing else to run"):
        read_released(tmp_path / "model.pkl", "i7S", "", data)
    write_released(tmp_path / "model.pkl", "hscnet", 1)
    (tmp_path / "chess").mkdir()
    np.save(tmp_path / "chess" / "centers.npy", np.array([Harmful(run)], object))
    with pytest.raises(DataError, match="centers.npy must be a .npy file of 625 points"):
        read_released(tmp_path / "model.pkl", "7S", "chess", tmp_path)
    assert not run.exists()


def test_what_does_not_fit_is_refused(data: Path, tmp_path: Path) -> None:
    write_released(tmp_path / "model.pkl", "hscnet", 7)
    with pytest.raises(EncoderError, match="must be of HSCNet for 7S.*give the --dataset it was trained on"):
        read_released(tmp_path / "model.pkl", "7S", "heads", data)
    with pytest.raises(DataError, match="scene chess must have .*centers.npy, found nothing there; copy the authors'"):
        read_released(tmp_path / "model.pkl", "i7S", "", tmp_path)
    for content in ({"weights": {}}, {"model_state": {"a": 3}}):
        torch.save(content, tmp_path / "model.pkl")
        with pytest.raises(EncoderError, match="must hold model_state, tensors by name"):
            read_released(tmp_path / "model.pkl", "i7S", "", data)
    with pytest.raises(EncoderError, match="checkpoint .*none.pkl must be a file"):
        read_released(tmp_path / "none.pkl", "i7S", "", data)
