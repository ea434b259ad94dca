from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cl_localization.cli.main import main
from cl_localization.errors import ConfigError
from cl_localization.research.seqmatchnet.model_file import load_model
from cl_localization.research.seqmatchnet.place_models import parse_range
from place_makers import route_descriptors, seen_again, write_images
from struct_makers import struct_fields, write_nordland, write_struct

QUICK = ["--training.epochs", "2", "--training.batches-per-epoch", "2", "--training.runs", "2", "--training.run-length",
         "8",
         "--network.out-dims", "8", "--network.channels", "2", "--threads", "1"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[str, str]:
    """Two folders of images of the same 40 places."""
    root = tmp_path_factory.mktemp("traverses")
    return tuple(str(write_images(root / name, list(range(40)), seed)) for seed,
                 name in enumerate(("summer", "winter")))


def traverses(folders: tuple[str, str]) -> list[str]:
    return ["--database", folders[0], "--query", folders[1]]


def test_a_model_is_trained_and_tested_on_folders_of_images(folders, tmp_path: Path, capsys) -> None:
    model, result = tmp_path / "m.safetensors", tmp_path / "r.json"
    train = ["train", "seqmatchnet", *traverses(folders), "--train-range", "0:30", "--seqL", "3", "--out", str(model),
             *QUICK]
    assert main(train) == 0 and model.is_file()
    test = ["test", "seqmatchnet", "--model", str(model), *traverses(folders), "--range", "10:", "--seqL", "1", "5",
            "3",
            "--tolerance", "1", "--json", str(result), "--figure", str(tmp_path / "f.png"), "--radii", "1", "5",
            "--speed-ratios", "0.8", "1", "1.25"]
    assert main(test) == 0 and (tmp_path / "f.png").stat().st_size > 10_000
    content = json.loads(result.read_text())
    assert (
        len(content["recall_at_1"]) == 3
        and content["sequence_lengths"] == [1, 5, 3]
        and content["queries"] == content["places"] == 30
    )
    assert all(0 <= value <= 1 for value in content["recall_at_1"]) and set(content["recall_at_1_by_radius"]) == {
        "1",
        "5",
    }
    assert "recall@1" in capsys.readouterr().out


def test_raw_pixels_need_no_training(folders, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    assert main(["test", "seqmatchnet", "--model", "raw", *traverses(folders), "--seqL", "1", "5", "--json",
                 str(result)]) == 0
    assert json.loads(result.read_text())["recall_at_1"] == [1.0, 1.0]


@pytest.mark.parametrize("pooling", ["single", "smooth", "delta", "single+seqmatch"])
def test_the_baselines_of_the_originals_are_there(folders, pooling: str, tmp_path: Path) -> None:
    result = tmp_path / "r.json"
    words = ["test", "seqmatchnet", "--pooling", pooling, *traverses(folders), "--seqL", "4", "--json", str(result),
             "--inner-only", "4"]
    assert main(words) == 0
    content = json.loads(result.read_text())
    assert content["queries"] == 37 and content["recall_at_1"][0] > 0.9


def test_the_originals_train_and_test_lines_run_on_small_descriptors(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_nordland(tmp_path / "data", 40)
    small = ["--outDims", "8", "--nEpochs", "2", "--threads", "1"]
    train = ("train seqmatchnet --mode train --seqL 5 --pooling --dataset nordland-sw --loss_trip_method meanOfPairs "
             "--neg_trip_method meanOfPairs --expName MoP")
    assert main([*train.split(), *small]) == 0
    run = tmp_path / "data" / "runs" / "latest"
    assert (
        (run / "model.safetensors").is_file()
        and (run / "checkpoint.safetensors").is_file()
        and list(run.glob("events*"))
    )
    test = ("test seqmatchnet --mode test --seqL 5 --pooling --dataset nordland-sw --split "
            "test --resume data/runs/latest --json r.json")
    assert main(test.split()) == 0
    assert json.loads(Path("r.json").read_text())["places"] == 40
    again = "train seqmatchnet --dataset nordland-sw --threads 1 --resume data/runs/"
    assert main((again + "latest").split()) == 0
    assert main((again + "MoP --nEpochs 3").split()) == 0 and load_model(run / "model.safetensors").extra["epochs"] == 3
    assert main((again + "latest/checkpoint.safetensors --lr 0.5").split()) == 1
    said = capsys.readouterr().err
    assert "option training.learning_rate must be 0.001, as the run was begun with, found 0.5" in said


def test_the_hierarchy_of_seqnet_runs(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_nordland(tmp_path / "data", 40)
    quick = ["--training.epochs", "1", "--outDims", "8", "--threads", "1"]
    line = "train seqmatchnet --mode train --pooling seqnet --dataset nordland-sw --seqL {} --w {} --out {}"
    assert main([*line.format(5, 3, "s5.safetensors").split(), *quick]) == 0
    assert main([*line.format(1, 1, "s1.safetensors").split(), *quick]) == 0
    first = ("test seqmatchnet --pooling seqnet --dataset nordland-sw --seqL 5 --split test "
             "--resume s5.safetensors --resultsPath results")
    second = (
        "test seqmatchnet --pooling s1+seqmatch --dataset nordland-sw --seqL 5 --split test --resume s1.safetensors "
        "--predictionsFile {}"
    )
    assert main(first.split()) == 0
    written, = Path("results").glob("*_l5.npz")
    assert main(second.format(written).split()) == 0
    with np.load(written) as content:
        np.savez("theirs.npz", preds=content["found"])
    assert main(second.format("theirs.npz").split()) == 0
    assert main([*second.format(written).replace("s1+seqmatch", "smooth").split()]) == 1


def test_a_structure_with_its_descriptors_is_tested(tmp_path: Path) -> None:
    write_struct(tmp_path / "a.db", struct_fields(0, 30))
    database = route_descriptors(30)
    np.save(tmp_path / "d.npy", database)
    np.save(tmp_path / "q.npy", seen_again(database, noise=0.2))
    words = ["--dataset", str(tmp_path / "a.db"), "--database", str(tmp_path / "d.npy"), "--query",
             str(tmp_path / "q.npy")]
    assert main(["test", "seqmatchnet", *words, "--seqL", "3", "--json", str(tmp_path / "r.json")]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["recall_at_1"] == [1.0]


@pytest.mark.parametrize("words, message", [
    (["test", "seqmatchnet"], "place data needs two traverses; give --database and --query, or --dataset NAME"),
    (["test", "seqmatchnet", "--dataset", "paris"], "dataset must be a .db file, nordland-sw"),
    (["train"], ""),
    (["train", "seqmatch"], "method 'seqmatch' of train is unknown; did you mean seqmatchnet?")])
def test_what_cannot_be_done_is_one_line(words: list[str], message: str, capsys, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 1
    streams = capsys.readouterr()
    assert message in streams.err and "Traceback" not in streams.err


def test_wrong_input_is_one_line_that_names_it(folders, tmp_path: Path, capsys) -> None:
    both = traverses(folders)
    np.savez(tmp_path / "bad.npz", other=np.zeros(3))
    np.save(tmp_path / "d.npy", np.ones((40, 7)))
    np.save(tmp_path / "nan.npy", np.full((40, 7), np.nan))
    assert main(["train", "seqmatchnet", *both, "--seqL", "3", "--out", str(tmp_path / "m.safetensors"), *QUICK]) == 0
    stored = ["--database", str(tmp_path / "d.npy"), "--query", str(tmp_path / "d.npy")]
    for words, message in [
        (["test", "seqmatchnet", *both, "--seqL", "50"], "must have at least 50 images in a row"),
        (["test", "seqmatchnet", *both, "--range", "60:90"], "must lie in 0:40"),
        (["test", "seqmatchnet", *both, "--model", "none.safetensors"], "model none.safetensors must be a file"),
        (["test", "seqmatchnet", *both, "--pooling", "seqnet"],
         "must be one without parameters for raw descriptors, found seqnet"),
        (["test", "seqmatchnet", *both, "--candidates", str(tmp_path / "none.npz")],
         "candidates .*none.npz must be a file"),
        (["test", "seqmatchnet", *both, "--candidates", str(tmp_path / "bad.npz")],
         "must be a file that --results wrote"),
        (["test", "seqmatchnet", *stored, "--model", str(tmp_path / "m.safetensors")],
         "must be 2048 numbers wide for this model, found 7"),
        (["test", "seqmatchnet", "--database", str(tmp_path / "nan.npy"), "--query", str(tmp_path / "d.npy")],
         "must be finite"),
        (["test", "seqmatchnet", "--database", folders[0], "--query", str(tmp_path / "d.npy")],
         "must both be images or both"),
        (["train", "seqmatchnet", *both, "--pooling", "smooth", "--out", str(tmp_path / "n.safetensors")],
         "must be one that learns")]:
        capsys.readouterr()
        assert main(words) == 1
        assert re.search(message, capsys.readouterr().err), words


def test_ranges_are_begin_and_end() -> None:
    assert parse_range("0:2000") == (0, 2000) and parse_range("5:")[0] == 5 and parse_range(":7") == (0, 7)
    for text in ("5", "a:b", "7:7", "-3:4", ""):
        with pytest.raises(ConfigError, match="range must be BEGIN:END with 0 <= BEGIN < END"):
            parse_range(text)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_group_lists_its_methods(name: str, capsys) -> None:
    assert main([name, "--help"]) == 0
    assert "seqmatchnet" in capsys.readouterr().out
    assert main([name, "seqmatchnet", "--help"]) == 0
    assert f"usage: cl_localization {name} seqmatchnet" in capsys.readouterr().out


def test_descriptors_alone_are_written_when_only_they_are_asked_for(folders, tmp_path: Path, capsys) -> None:
    words = ["test", "seqmatchnet", *traverses(folders), "--seqL", "1", "--extractOnly"]
    assert main([*words, "--resultsPath", str(tmp_path / "d.npz")]) == 0
    with np.load(tmp_path / "d.npz") as content:
        assert set(content) == {"database", "queries"} and content["database"].shape == content["queries"].shape == (
            40,
            2048,
        )
        np.testing.assert_allclose(np.linalg.norm(content["queries"], axis=1), 1.0, atol=1e-4)
    assert "recall@" not in capsys.readouterr().out
    assert main(words) == 1
    assert "option --extract-only needs a file to write to" in re.sub(r"\s+", " ", capsys.readouterr().err)


def test_images_near_the_ends_are_left_out_of_both_traverses(folders, tmp_path: Path) -> None:
    words = ["test", "seqmatchnet", *traverses(folders), "--seqL", "5", "--json", str(tmp_path / "r.json")]
    assert main([*words, "--seqL_filterData", "5", "--resultsPath", str(tmp_path / "r.npz")]) == 0
    assert json.loads((tmp_path / "r.json").read_text())["queries"] == 36
    with np.load(tmp_path / "r.npz") as content:
        found = content["found"]
        assert (found[:2] == -1).all() and found[2:38].min() == 2 and found.max() == 37
    assert main([*words, "--seqL_filterData", "41"]) == 1


def test_options_that_do_nothing_are_named(folders, tmp_path: Path, capsys) -> None:
    model = str(tmp_path / "m.safetensors")
    train = ["train", "seqmatchnet", *traverses(folders), "--seqL", "3", "--out", model, *QUICK]
    assert main([*train, "--margin", "0.2", "--lrStep", "3", "--momentum", "0.5"]) == 0
    said = capsys.readouterr().err
    for sentence in ("option training.margin has no effect with training.loss contrastive",
                     "option training.lr_step has no effect with training.schedule one_cycle",
                     "option training.momentum has no effect with training.optimizer adamw"):
        assert sentence in said
    assert said.count("has no effect") == 3
    test = ["test", "seqmatchnet", "--model", model, *traverses(folders), "--seqL", "3", "--split", "test"]
    assert main([*test, "--image.patch-px", "4"]) == 0
    said = capsys.readouterr().err
    assert "option image has no effect with the model: it describes images as it was trained" in said
    assert "option split has no effect with traverses that are not of a data set by name" in said
