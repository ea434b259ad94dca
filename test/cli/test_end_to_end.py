"""The commands with the real core: the simulated house, and RedKitchen where it is there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cl_localization.cli.main import main
from cl_localization.features.exported import exported_network
from cl_localization.map.map_file import read_map_info

HOUSE = "sim:3?rooms=1&frames=40"
QUERIES = "sim:3?rooms=1&path=tracking&frames=60"


def run(*words: object) -> int:
    """Run the command line."""
    return main([str(word) for word in words])


def evaluated(folder: Path, *words: object) -> dict:
    """Run `evaluate` and return what it wrote."""
    assert run("evaluate", *words, "--json", folder / "result.json") == 0
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def house_map(tmp_path_factory) -> Path:
    """A map of one simulated room."""
    path = tmp_path_factory.mktemp("maps") / "house.map"
    assert run("map", HOUSE, "--out", path, "--scene", "house") == 0
    return path


@pytest.fixture(scope="module")
def house_result(house_map: Path) -> Path:
    """The JSON file of an evaluation in that room."""
    path = house_map.with_suffix(".json")
    assert run("evaluate", house_map, f"{QUERIES}[::8]", "--json", path) == 0
    return path


def test_a_camera_finds_its_pose_in_the_room_that_was_mapped(house_result: Path) -> None:
    result = json.loads(house_result.read_text())
    assert result["frames"] == 8 and result["codes"] > 1000
    assert result["within_20cm_10deg_percent"] >= 75 and result["median_translation_cm"] < 5
    assert result["wrong_accepted"] == 0


def test_another_house_is_not_taken_for_this_one(house_map: Path, tmp_path: Path) -> None:
    result = evaluated(tmp_path, house_map, "sim:4?rooms=1&path=tracking&frames=60[::8]")
    assert result["localized"] == 0 and result["median_translation_cm"] is None


def test_changed_images_are_harder_and_the_change_is_noted(house_map: Path, tmp_path: Path) -> None:
    result = evaluated(tmp_path, house_map, f"{QUERIES}[::20]", "--perturb", "gamma=0.6", "occlusion=0.3")
    assert result["perturb"] == ["gamma=0.6", "occlusion=0.3"] and result["wrong_accepted"] == 0


def test_an_unknown_change_is_one_line(house_map: Path, tmp_path: Path, capsys) -> None:
    assert run("evaluate", house_map, QUERIES, "--perturb", "sepia=1") == 1
    text = capsys.readouterr().err
    assert text.startswith("error: ") and "sepia" in text and text.count("\n") == 1


def test_the_trajectory_holds_only_trusted_poses(house_map: Path, tmp_path: Path) -> None:
    assert run("localize", house_map, f"{QUERIES}[::12]", "--out", tmp_path / "poses.txt") == 0
    poses = np.loadtxt(tmp_path / "poses.txt")
    assert 3 <= len(poses) <= 5 and (np.diff(poses[:, 0]) > 0).all()
    assert np.linalg.norm(poses[:, 4:], axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("engine, package", [("openvino", "openvino"), ("onnx", "onnxruntime")])
def test_localizing_does_without_pytorch(house_map: Path, tmp_path: Path, engine: str, package: str) -> None:
    pytest.importorskip(package)
    exported_network("")  # takes PyTorch where it was not done before
    words = ["localize", str(house_map), f"{QUERIES}[::30]", "--out", str(tmp_path / "poses.txt"), "--encoder.engine",
             engine, "--encoder.device", "cpu"]
    code = f"import sys; from cl_localization.cli.main import main; sys.exit(main({words!r}) or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_info_knows_scene_camera_and_how_the_map_was_made(house_map: Path, capsys) -> None:
    assert run("info", house_map, "--json") == 0
    contents = json.loads(capsys.readouterr().out)
    assert [scene["name"] for scene in contents["scenes"]] == ["house"]
    assert contents["metadata"]["extra"]["camera"]["width_px"] == 320
    assert contents["metadata"]["extra"]["sequences"] == [HOUSE]
    assert run("info", house_map) == 0


def test_a_map_goes_on_growing_with_another_scene(house_map: Path, tmp_path: Path, capsys) -> None:
    words = (
        "map",
        "sim:4?rooms=1&frames=40[:6]",
        "--update",
        house_map,
        "--scene",
        "annexe",
        "--out",
        tmp_path / "both.map",
    )
    assert run(*words) == 0
    capsys.readouterr()
    run("info", tmp_path / "both.map", "--json")
    assert {scene["name"] for scene in json.loads(capsys.readouterr().out)["scenes"]} == {"house", "annexe"}
    assert evaluated(tmp_path, tmp_path / "both.map", f"{QUERIES}[::30]")["wrong_accepted"] == 0


def test_the_map_can_be_drawn_with_everything_on_it(house_map: Path, house_result: Path, tmp_path: Path) -> None:
    run("localize", house_map, f"{QUERIES}[::30]", "--out", tmp_path / "poses.txt")
    assert run("plot", house_map, "--trajectories", tmp_path / "poses.txt", "--evaluations", house_result,
               "--out", tmp_path / "all.png") == 0
    assert (tmp_path / "all.png").stat().st_size > 10_000


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_map_is_refused_in_one_line(house_map: Path, tmp_path: Path, keep: float, capsys) -> None:
    content = house_map.read_bytes()
    (tmp_path / "cut.map").write_bytes(content[:int(keep * len(content))])
    assert run("evaluate", tmp_path / "cut.map", QUERIES) == 1
    text = capsys.readouterr().err
    assert "cut.map" in text and "truncated" in text and text.count("\n") == 1


def test_a_map_of_another_encoder_is_refused(house_map: Path, capsys) -> None:
    assert run("evaluate", house_map, QUERIES, "--encoder.name", "dinov2") == 1
    assert "dinov2" in capsys.readouterr().err


@pytest.mark.parametrize("layout", ["colmap", "transforms", "tum"])
def test_a_map_can_be_written_for_other_tools(house_map: Path, tmp_path: Path, layout: str) -> None:
    assert run("export", house_map, "--format", layout, "--out", tmp_path / "out") == 0
    if layout == "transforms":
        entry = json.loads((tmp_path / "out" / "transforms.json").read_text())["frames"][0]
        assert (entry["w"], entry["file_path"]) == (320, "keyframe-000000.png")
    elif layout == "tum":
        assert np.loadtxt(tmp_path / "out" / "groundtruth.txt").shape[1] == 8
    else:
        assert len((tmp_path / "out" / "sparse" / "0" / "points3D.txt").read_text().splitlines()) > 1000


def test_a_sequence_written_for_other_tools_is_found_in_the_map(house_map: Path, tmp_path: Path) -> None:
    assert run("export", f"{QUERIES}[::20]", "--format", "colmap", "--out", tmp_path / "model") == 0
    direct = evaluated(tmp_path, house_map, f"{QUERIES}[::20]")
    again = evaluated(tmp_path, house_map, tmp_path / "model")
    assert again["median_translation_cm"] <= 1.2 * direct["median_translation_cm"] and again["frames"] == 3
    assert run("export", tmp_path / "none", "--format", "tum", "--out", tmp_path / "other") == 1


def test_bench_tries_the_simulated_house(tmp_path: Path) -> None:
    assert run("bench", "--tables", "sim", "--frames", "12", "--seed", "3", "--out", tmp_path) == 0
    experiment = json.loads((tmp_path / "bench.json").read_text())["experiments"][0]
    assert experiment["mapped"] == 12 and experiment["summary"]["frames"] == 4
    assert "| simulated house 3 | 12 | 4 |" in (tmp_path / "bench.md").read_text()


def test_a_stretch_of_the_kitchen_is_found_again(kitchen_folder: Path, tmp_path: Path) -> None:
    assert run("map", f"{kitchen_folder}[:60:6]", "--out", tmp_path / "kitchen.map") == 0
    result = evaluated(tmp_path, tmp_path / "kitchen.map", f"{kitchen_folder}[3:60:15]")
    assert result["frames"] == 4 and result["within_5cm_5deg_percent"] >= 75 and result["wrong_accepted"] == 0


def test_a_map_is_compressed_and_evaluated_as_any_other(house_map: Path, tmp_path: Path, capsys) -> None:
    small = tmp_path / "small.map"
    assert run("compress", house_map, "--bytes", "60k", "--out", small, "--steps", "100") == 0
    assert small.stat().st_size <= 60_000
    assert read_map_info(small)["health"] == read_map_info(house_map)["health"] != {}
    result = evaluated(tmp_path, small, f"{QUERIES}[::30]")
    assert 500 < result["codes"] < 650 and result["wrong_accepted"] == 0
    assert run("localize", small, f"{QUERIES}[::30]", "--out", tmp_path / "poses.txt") == 0
    assert run("compress", small, "--out", tmp_path / "smaller.map") == 1
    assert "must hold grown codes" in capsys.readouterr().err
    assert run("map", HOUSE, "--update", small, "--out", tmp_path / "more.map") == 1


def test_codes_can_be_learned_while_mapping(tmp_path: Path) -> None:
    small = tmp_path / "small.map"
    assert run("map", HOUSE, "--out", small, "--codes", "learned", "--learned.size-kb", "60",
               "--learned.final-steps", "100") == 0
    assert small.stat().st_size <= 60_000
    assert evaluated(tmp_path, small, f"{QUERIES}[::30]")["wrong_accepted"] == 0


@pytest.mark.parametrize("text", ["0", "100 k", "-1", "k", "1.5M"])
def test_a_size_that_is_no_number_of_bytes_is_told(house_map: Path, tmp_path: Path, capsys, text: str) -> None:
    assert run("compress", house_map, f"--bytes={text}", "--out", tmp_path / "small.map") == 1
    assert "option bytes must be a number of bytes" in capsys.readouterr().err
