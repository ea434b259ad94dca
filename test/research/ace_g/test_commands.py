"""`train attention`, `test attention`, `evaluate --regressor` and the table of regressors, on a tiny simulated room."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.options import RegressorBenchConfig
from benchmarks.regressors import HARD, HEADERS, REGRESSORS, SINGLE, compared, regressor_tables
from benchmarks.runs import Bench, Experiment
from cl_localization.cli.main import main
from cl_localization.config import EncoderConfig, LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.errors import DataError
from cl_localization.research.ace_g.presets import with_preset

ROOM = "sim:3?rooms=1&frames=6&size=160x128"
QUERIES = "sim:3?rooms=1&frames=3&size=160x128&path=tracking"
SCENE = f"{ROOM}::{QUERIES}"
TINY = ["--network.width", "16", "--network.heads", "2", "--pretraining.steps", "4", "--pretraining.features-per-step",
        "32",
        "--threads", "1"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("attention")
    assert main(["train", "attention", "--scenes", SCENE, "--out", str(folder / "small"), "--folder",
                 str(folder / "run"), *TINY]) == 0
    return folder


def test_a_trained_regressor_localizes_beside_the_nearest_code(trained, tmp_path, capsys):
    result = tmp_path / "result.json"
    assert main(["test", "attention", str(trained / "small"), ROOM, QUERIES, "--perturb", "noise=5", "--json",
                 str(result)]) == 0
    found = json.loads(result.read_text())
    assert found["nearest"]["frames"] == found["attention"]["frames"] == 3 and found["perturb"] == ["noise=5"]
    assert "attention" in capsys.readouterr().out


def test_a_map_is_evaluated_with_either_regressor(trained, tmp_path, capsys):
    room = str(tmp_path / "room.map")
    assert main(["map", ROOM, "--out", room]) == 0
    result = tmp_path / "result.json"
    weights = ["--regressor", "attention", "--regressor-weights", str(trained / "small")]
    assert main(["evaluate", room, QUERIES, *weights, "--perturb", "gamma=0.4", "--json", str(result)]) == 0
    assert json.loads(result.read_text())["config"]["regressor"] == "attention"
    assert main(["evaluate", room, QUERIES, "--regressor", "attention"]) == 0  # by the weights of the package
    assert main(["evaluate", room, QUERIES, "--regressor", "attention", "--regressor-weights",
                 str(tmp_path / "none")]) == 1
    assert "must be a file" in capsys.readouterr().err.replace("\n", " ")


def test_a_training_goes_on_from_its_folder(trained, capsys):
    again = ["train", "attention", "--out", str(trained / "again"), "--folder", str(trained / "run"), "--resume", *TINY]
    assert main([*again, "--scenes", SCENE]) == 0
    assert main([*again, "--scenes", SCENE, SCENE]) == 1
    assert "must be of a training with the same scenes" in capsys.readouterr().err.replace("\n", " ")


def test_the_form_of_codes_is_trained_and_maps_a_scene_from_poses(tmp_path):
    weights, result = tmp_path / "codes", tmp_path / "result.json"
    assert main(["train", "attention", "--scenes", SCENE, "--out", str(weights), *TINY, "--network.form", "codes",
                 "--network.codes", "8"]) == 0
    assert main(["test", "attention", str(weights), ROOM, QUERIES, "--codes.iterations", "3", "--codes.batch-size",
                 "32", "--json",
                 str(result)]) == 0
    assert json.loads(result.read_text())["codes"]["codes"] == 8


@pytest.mark.parametrize("words, message", [([], "needs at least one scene"),
                                            (["--rooms", "1", "--resume"], "needs the folder")])
def test_what_cannot_be_trained_is_said(words, message, tmp_path, capsys):
    assert main(["train", "attention", "--out", str(tmp_path / "weights"), *words]) == 1
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_preset_gives_the_options_that_the_command_line_does_not():
    presets = {"big": {"network.width": 768, "network.code_count": 9}}
    assert with_preset(["--preset", "big", "--network.width", "8"], presets) == [
        "--preset",
        "big",
        "--network.width",
        "8",
        "--network.code-count",
        "9",
    ]
    assert with_preset(["--preset=big"], presets)[1:] == ["--network.width", "768", "--network.code-count", "9"]
    assert with_preset(["--out", "x"], presets) == ["--out", "x"]


def test_the_paper_s_preset_is_understood(tmp_path, capsys):
    words = ["train", "attention", "--preset", "ace_g", "--encoder.name", "xfeat", "--out", str(tmp_path / "weights"),
             "--resume"]
    assert main(words) == 1  # it comes as far as asking for the folder
    assert "needs the folder" in capsys.readouterr().err.replace("\n", " ")


def experiment(with_queries: bool = True) -> Experiment:
    return Experiment("room", lambda: (open_sequence(ROOM), open_sequence(QUERIES) if with_queries else None))


def test_the_tables_compare_all_regressors_on_the_same_queries(trained, monkeypatch):
    monkeypatch.setattr("benchmarks.regressors.sim_experiment", lambda seed, frames: experiment())
    monkeypatch.setattr("benchmarks.regressors.SINGLE", SINGLE[:2])
    monkeypatch.setattr("benchmarks.regressors.HARD", HARD[-1:])
    bench = Bench(MapperConfig(encoder=EncoderConfig()), LocalizerConfig(regressor_weights=str(trained / "small")))
    monkeypatch.setattr("benchmarks.regressors.HOUSE", "rooms=1&size=160x128")
    monkeypatch.setattr("benchmarks.regressors.HOUSE_FRAMES", 4)
    monkeypatch.setattr("benchmarks.regressors.OTHER_HOUSES", 1)
    single, harder, elsewhere = regressor_tables(bench, None, 3, 6, RegressorBenchConfig(queries=2, elsewhere=4))
    assert (len(single.rows), len(harder.rows)) == (2, 1) and all(len(row) == len(HEADERS)
                                                                  for row in single.rows + harder.rows)
    assert [one["perturb"] for one in single.results["regressors"]] == [[], ["gamma=0.4"]]
    assert [one["perturb"] for one in harder.results["regressors_harder"]] == [list(HARD[-1])]
    assert all(one[name]["frames"] == 2 for one in single.results["regressors"] for name in REGRESSORS)
    assert "mean: nearest" in single.sentence
    assert [row[:2] for row in elsewhere.rows] == [("nothing", "4"), ("one of the harder changes", "4")]
    assert all(one[name] <= 4 for one in elsewhere.results["regressors_elsewhere"] for name in REGRESSORS)


def test_there_is_nothing_to_compare_without_queries():
    with pytest.raises(DataError, match="must have queries"):
        compared(Bench(MapperConfig(), LocalizerConfig()), experiment(with_queries=False), SINGLE)
