"""`train hscnet` and `test hscnet` on very small data sets in the published layouts, with the originals' command
lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.cli.main import main
from cl_localization.errors import ConfigError
from cl_localization.research.hscnet.original_names import translated
from cl_localization.research.hscnet.scene_data import chosen_device
from cl_localization.research.hscnet.scene_groups import SEVEN_SCENES, TWELVE_SCENES
from data.scene_makers import write_seven, write_twelve

TINY = "--width 0.02 --image-width-px 64 --threads 1 --device cpu"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """All scenes of both data sets, one training frame each."""
    return write_twelve(write_seven(tmp_path_factory.mktemp("data"), tuple(SEVEN_SCENES)), tuple(TWELVE_SCENES))


def run(line: str, folder: Path, **values: object) -> int:
    """Run a command line whose {names} are given."""
    return main(line.format(folder=folder, **values).split())


@pytest.mark.parametrize("dataset, scene", [("i7S", "redkitchen"), ("i12S", "apt1/kitchen"), ("i19S", "office2/5b")])
def test_the_continual_learning_readme_runs(data: Path, tmp_path: Path, dataset: str, scene: str) -> None:
    train = ("train hscnet --model hscnet --dataset {dataset} --n_iter 1 --data_path {data} --dense_pred False "
             "--exp_name first "
             "--buffer_size 4 --sampling CoverageS --runs-path {folder} " + TINY)
    assert run(train, tmp_path, dataset=dataset, data=data) == 0
    test = ("test hscnet --model hscnet --dataset {dataset} --scene {scene} --checkpoint {folder}/latest --data_path "
            "{data} "
            "--output {folder} --json {folder}/r.json --threads 1 --device cpu")
    assert run(test, tmp_path, dataset=dataset, data=data, scene=scene) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    errors = (tmp_path / f"pose_err_{dataset}_{scene.replace('/', '.')}_hscnet.txt").read_text().splitlines()
    assert list(result["scenes"]) == [scene] and len(errors) == result["scenes"][scene]["frames"] > 0
    latest = tmp_path / "latest"
    assert {"model.safetensors", "checkpoint.safetensors", "progress_log_summary.txt"} <= {
        path.name for path in latest.iterdir()
    }
    assert f"task {scene}: epoch 1, step 1/1 - lr: 5e-05 - train_loss: " in (latest
                                                                             / "progress_log_summary.txt").read_text()


@pytest.mark.parametrize("words", ["--sampling Random --dense_pred True --buffer_size 2 --aug False",
                                   "--sampling Imgbal --batch_size 2",
                                   "--sampling Redundant --init_lr 1e-3", "--model scrnet --buffer_size 0",
                                   "--joint --n_iter 4"])
def test_every_way_to_learn_several_scenes_runs_and_all_are_tested(data: Path, tmp_path: Path, words: str) -> None:
    train = (
        "train hscnet --dataset i7S --n_iter 1 --data_path {data} --out {folder}/m.safetensors " + TINY + " " + words
    )
    assert run(train, tmp_path, data=data) == 0
    test = ("test hscnet --dataset i7S --checkpoint {folder}/m.safetensors --data_path "
            "{data} --json {folder}/r.json --device cpu")
    assert run(test, tmp_path, data=data) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert list(result["scenes"]) == list(SEVEN_SCENES) and 0 <= result["within_5cm_5deg_percent"] <= 100


@pytest.mark.parametrize("model, dataset, scene", [("hscnet", "7S", "heads"), ("scrnet", "12S", "apt2/luke")])
def test_the_readme_of_hscnet_runs(data: Path, tmp_path: Path, model: str, dataset: str, scene: str) -> None:
    names = {"data": data, "model": model, "dataset": dataset, "scene": scene}
    train = ("train hscnet --model {model} --dataset {dataset} --scene {scene} --n_iter 2 --data_path {data} "
             "--log-summary log.txt "
             "--exp_name small --train_id one --runs-path {folder} ") + TINY
    assert run(train, tmp_path, **names) == 0 and "epoch 1" in (tmp_path / "latest" / "log.txt").read_text()
    test = ("test hscnet --model {model} --dataset {dataset} --scene {scene} --checkpoint "
            "{folder}/small_one --data_path {data} --device cpu")
    assert run(test, tmp_path, **names) == 0


def test_sequences_of_ones_own_are_learned_and_a_run_is_gone_on_with(data: Path, tmp_path: Path, capsys) -> None:
    rooms = f"{data}/12Scenes/apt1/kitchen {data}/12Scenes/apt2/bed"
    train = (
        "train hscnet --sequences {rooms} --n_iter 2 --labels {folder}/labels.safetensors --exp_name own --runs-path "
        "{folder} "
        + TINY
    )
    assert run(train, tmp_path, rooms=rooms) == 0 and (tmp_path / "labels.safetensors").is_file()
    assert run("train hscnet --resume {folder}/latest --threads 1 --device cpu", tmp_path) == 0
    checkpoint = "train hscnet --resume {folder}/latest/checkpoint.safetensors --threads 1 --device cpu"
    assert run(checkpoint, tmp_path) == 0
    assert run("train hscnet --resume {folder}/latest --device cpu --width 0.5", tmp_path) == 1
    assert "option width must be 0.02, as the run was begun with, found 0.5; leave it out" in capsys.readouterr().err
    test = "test hscnet --sequences {rooms} --checkpoint {folder}/own --threads 1 --device cpu"
    assert run(test, tmp_path, rooms=rooms) == 0 and "mean" in capsys.readouterr().out
    assert run(test, tmp_path, rooms=f"{rooms} {data}/12Scenes/apt2/luke") == 1
    assert "option sequences must be at most 2, the model's scenes, found 3" in capsys.readouterr().err


def test_what_cannot_be_done_is_one_line_that_names_it(data: Path, tmp_path: Path, capsys) -> None:
    seven = "train hscnet --dataset 7S --scene chess --n_iter 1 --data_path {data} --out {folder}/m.safetensors " + TINY
    assert run(seven, tmp_path, data=data) == 0
    broken = write_twelve(write_seven(tmp_path / "broken", ("chess", "fire"), 2), ("apt1/kitchen",), 1)
    for path in (broken / "7Scenes" / "chess" / "seq-01").glob("*.depth.png"):
        path.write_bytes(depth_png(0))
    (broken / "7Scenes" / "fire" / "seq-01" / "frame-000001.depth.png").unlink()
    at = str(broken)
    for line, message in [
        (
            "train hscnet --dataset 7S --data_path {data} --out {folder}/n.safetensors " + TINY,
            "scene of 7S must be one of chess",
        ),
        (seven.replace("chess", "nowhere"), "scene of 7S must be one of chess.*found 'nowhere'"),
        (seven.replace("{data}", at), "scene 0 must have frames with depth, found 2 frames, none with any"),
        (
            seven.replace("{data}", at).replace("chess", "fire"),
            "training frames of fire must all have a depth file, found 1 without",
        ),
        (
            seven.replace("{data}", at).replace("7S", "12S").replace("chess", "apt1/kitchen"),
            "must have at least one usable frame, found 0 frames, 1 left out",
        ),
        (
            "test hscnet --dataset 7S --scene fire --checkpoint {folder}/m.safetensors --data_path {data}",
            "scene fire must be one that the network is for",
        ),
        (
            ("test hscnet --model scrnet --dataset 7S --scene chess --checkpoint {folder}/m.safetensors --data_path "
             "{data}"),
            "must be a scrnet, found hscnet",
        ),
        ("test hscnet --checkpoint {folder}/none --data_path {data}", "model .*none must be a file"),
        ("train hscnet --resume {folder}/model.pkl --device cpu", "option resume must name a run of this package"),
        ("train hscnet --resume {folder} --device cpu", "model .*checkpoint.safetensors must be a file"),
        (
            "test hscnet --dataset i7S --scene nowhere --checkpoint {folder}/m.safetensors --data_path {data}",
            "option scene must be one of i7S: chess, fire, .*stairs, found 'nowhere'",
        ),
        (seven + " --dense_pred maybe", "option --dense_pred must be True or False, found 'maybe'"),
    ]:
        capsys.readouterr()
        assert run(line, tmp_path, data=data) == 1, line
        assert re.search(message, capsys.readouterr().err), line


def test_options_that_do_nothing_are_named(data: Path, tmp_path: Path, capsys) -> None:
    line = ("train hscnet --model scrnet --dataset i7S --scene chess --joint --coordinate-channels 8 --sampling Imgbal "
            "--n_iter 1 --data_path {data} --out {folder}/m.safetensors " + TINY)
    assert run(line, tmp_path, data=data) == 0
    said = capsys.readouterr().err
    for sentence in ("option coordinate_channels has no effect with model scrnet",
                     "option sampling has no effect with all scenes at once: nothing is replayed",
                     "option scene has no effect: all scenes are learned"):
        assert sentence in said
    assert said.count("has no effect") == 3


def test_labels_of_another_number_of_scenes_are_refused(data: Path, tmp_path: Path, capsys) -> None:
    train = (
        "train hscnet --sequences {rooms} --n_iter 1 --labels {folder}/l.safetensors --out {folder}/m.safetensors "
        + TINY
    )
    assert run(train, tmp_path, rooms=f"{data}/12Scenes/apt2/bed") == 0
    assert run(train, tmp_path, rooms=f"{data}/12Scenes/apt2/bed {data}/12Scenes/apt2/luke") == 1
    assert re.search("must be of these 2 scenes: .*, found 1 scenes; name another file with --labels",
                     capsys.readouterr().err)


def test_the_originals_switches_take_a_word_or_none() -> None:
    assert translated("--aug False --dense_pred --n_iter=5 --init_lr 1e-4".split()) == [
        "--no-augment",
        "--dense-pred",
        "--iterations=5",
        "--learning-rate",
        "1e-4",
    ]
    assert translated("--aug=yes --dense_pred=0 --train_id x".split()) == ["--exp-name", "x"]
    assert translated("--exp_name a --joint --train_id=b".split()) == ["--joint", "--exp-name", "a_b"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="option device must be one that this machine has, found cuda; use --device "
                                          "cpu"):
        chosen_device("cuda")


def depth_png(value_mm: int) -> bytes:
    """Return a depth image of one value."""
    import cv2

    return cv2.imencode(".png", np.full((480, 640), value_mm, np.uint16))[1].tobytes()
