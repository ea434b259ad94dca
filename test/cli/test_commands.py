"""The commands on a small sequence with a core that is a fake; test_end_to_end.py runs them with the real one."""

from __future__ import annotations

import csv
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from cl_localization.cli.main import main

CONTRACT = {
    "frames",
    "localized",
    "median_translation_cm",
    "median_rotation_deg",
    "within_5cm_5deg_percent",
    "within_10cm_5deg_percent",
    "within_20cm_10deg_percent",
    "latency_ms_p50",
    "latency_ms_p95",
    "map_bytes",
    "codes",
}


def run(*words: object) -> int:
    """Run the command line."""
    return main([str(word) for word in words])


def row(table: str, metric: str) -> str:
    """Return the value beside a metric in a printed table."""
    cells = [[cell.strip() for cell in line.split("│")] for line in table.splitlines()]
    return next(line[2] for line in cells if len(line) > 2 and line[1] == metric)


def poses_in(path: Path) -> dict[str, list]:
    """Return the poses that a map of the fake core was built from."""
    return json.loads(path.read_text())["poses"]


@pytest.fixture
def small_map(fake_core, small_sequence: Path, tmp_path: Path, capsys) -> Path:
    """A map of the small sequence."""
    assert run("map", small_sequence, "--out", tmp_path / "small.map") == 0
    capsys.readouterr()
    return tmp_path / "small.map"


def test_map_writes_a_map_and_says_what_is_in_it(fake_core, small_sequence: Path, tmp_path: Path, capsys) -> None:
    assert run("map", small_sequence, "--out", tmp_path / "a.map", "--scene", "hall") == 0
    text = capsys.readouterr().out
    assert row(text, "frames") == "10" and row(text, "codes") == "100"
    assert len(poses_in(tmp_path / "a.map")) == 10
    assert fake_core.mappers[0].config.scene == "hall" and fake_core.mappers[0].finished


def test_map_warns_on_stderr_of_what_is_wrong_with_it_and_does_not_fail(fake_core, small_sequence: Path, tmp_path: Path,
                                                                         capsys) -> None:
    assert run("map", small_sequence, "--out", tmp_path / "a.map") == 0
    told = capsys.readouterr()
    assert "a.map: the axes look wrong" in told.err and "axes look wrong" not in told.out
    assert row(told.out, "warnings") == "1" and row(told.out, "codes seen once") == "36.0"


def test_map_takes_several_sequences_and_selections(fake_core, small_sequence: Path, tmp_path: Path, capsys) -> None:
    assert run("map", f"{small_sequence}[:3]", f"{small_sequence}[5:7]", "--out", tmp_path / "a.map") == 0
    assert len(poses_in(tmp_path / "a.map")) == 5


def test_map_grows_a_map_without_touching_it(small_map: Path, small_sequence: Path, tmp_path: Path, capsys) -> None:
    run("map", f"{small_sequence}[:1]", "--out", tmp_path / "one.map")
    before = (tmp_path / "one.map").read_bytes()
    assert run("map", f"{small_sequence}[1:3]", "--update", tmp_path / "one.map", "--out", tmp_path / "two.map") == 0
    assert len(poses_in(tmp_path / "two.map")) == 3
    assert (tmp_path / "one.map").read_bytes() == before
    extra = json.loads((tmp_path / "two.map").read_text())["extra"]
    assert (
        extra["sequences"] == [f"{small_sequence}[:1]", f"{small_sequence}[1:3]"]
        and extra["config"]["scene"] == "default"
    )


def test_map_without_depth_gives_the_mapper_none(fake_core, small_sequence: Path, tmp_path: Path) -> None:
    run("map", small_sequence, "--out", tmp_path / "a.map")
    run("map", small_sequence, "--out", tmp_path / "a.map", "--no-depth")
    assert all(depth_m is not None for depth_m in fake_core.mappers[0].depths)
    assert all(depth_m is None for depth_m in fake_core.mappers[1].depths)


def test_map_leaves_out_frames_without_pose_and_unreadable_ones(
    fake_core, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    folder = shutil.copytree(small_sequence, tmp_path / "lines")
    (folder / "frame-000003.pose.txt").unlink()
    (folder / "frame-000004.color.png").write_bytes(b"no image")
    assert run("map", folder, "--out", tmp_path / "a.map") == 0
    streams = capsys.readouterr()
    assert row(streams.out, "frames") == "8" and row(streams.out, "frames without pose") == "1"
    assert row(streams.out, "frames skipped") == "1" and "frame-000004.color.png" in streams.err


@pytest.mark.parametrize(
    "words, message",
    [
        (["map"], "map cannot be run: Missing --out MAP"),
        (["map", "--out", "{tmp}/a.map"], "map needs at least one sequence"),
        (["map", "{tmp}/none", "--out", "{tmp}/a.map"], "none is missing; give a file or folder"),
        (["map", "{seq}", "--out", "{tmp}"], "must be a file, found a folder"),
        (["map", "{seq}", "--out", "{seq}/camera.yaml/a.map"], "cannot be written"),
        (["map", "{seq}", "--out", "{tmp}/a.map", "--format", "weird"], "format must be one of auto, sim, transforms"),
        (["map", "{seq}", "--out", "{tmp}/a.map", "--update", "{tmp}/none.map"], "none.map is missing"),
        (["map", "{seq}[99:]", "--out", "{tmp}/a.map"], "99"),
        (["localize", "{tmp}/none.map", "{seq}", "--out", "{tmp}/poses.txt"], "none.map is missing"),
        (["evaluate", "{tmp}/none.map", "{seq}"], "none.map is missing"),
        (["evaluate", "{tmp}/none.map", "{seq}", "--json", "{tmp}"], "must be a file"),
        (["info", "{tmp}/none.map"], "No such file|is missing"),
        (["plot", "--out", "{tmp}/a.png"], "plot needs something to plot; give a map, --trajectories or --evaluations"),
        (["plot", "--evaluations", "{tmp}/none.json", "--out", "{tmp}/a.png"], "none.json is missing"),
        (["bag", "{seq}", "--out", "{tmp}"], "must not be there yet; choose another name, remove it, or use --force"),
        (
            ["bench", "--tables", "photos", "--out", "{tmp}/out"],
            "table photos needs a sequence; give it with --photos SEQ",
        ),
        (
            ["bench", "--tables", "kitchen", "--data", "{tmp}", "--out", "{tmp}/out"],
            "seq-01 is missing; give --data FOLDER",
        ),
        (["config", "robot"], "config cannot be run"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    words: list[str], message: str, fake_core, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    assert run(*[word.format(tmp=tmp_path, seq=small_sequence) for word in words]) == 1
    text = capsys.readouterr().err
    assert text.startswith("error: ") and text.count("\n") == 1 and "Traceback" not in text
    assert re.search(message, text), text


@pytest.mark.parametrize("words, order", [
    (["localize", "{seq}", "{map}", "--out", "{tmp}/poses.txt"], "localize MAP SEQ"),
    (["evaluate", "{seq}", "{map}"], "evaluate MAP SEQ"),
    (["map", "{map}", "--out", "{tmp}/other.map"], "map SEQ --out MAP; --update MAP extends a map"),
])
def test_a_map_in_the_place_of_a_sequence_is_named_with_the_right_order(
    words: list[str], order: str, small_map: Path, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    assert run(*[word.format(tmp=tmp_path, seq=small_sequence, map=small_map) for word in words]) == 1
    assert f"small.map is a map, not a sequence; the order is: {order}" in capsys.readouterr().err


def test_a_sequence_without_poses_cannot_be_mapped_or_evaluated(
    small_map: Path, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    folder = shutil.copytree(small_sequence, tmp_path / "lines")
    for path in folder.glob("*.pose.txt"):
        path.unlink()
    for words in (["map", folder, "--poses", "given", "--out", tmp_path / "b.map"], ["evaluate", small_map, folder]):
        assert run(*words) == 1
        assert "must have frames with poses" in capsys.readouterr().err
    assert not (tmp_path / "b.map").exists()
    assert run("localize", small_map, folder, "--out", tmp_path / "poses.txt") == 0


def test_localize_writes_the_accepted_poses_and_the_status_of_all(
    small_map: Path, small_sequence: Path, tmp_path: Path
) -> None:
    assert (
        run("localize", small_map, small_sequence, "--out", tmp_path / "poses.txt", "--status", tmp_path / "status.csv")
        == 0
    )
    poses = np.loadtxt(tmp_path / "poses.txt")
    assert poses.shape == (9, 8)
    assert poses[:, 1] == pytest.approx(0.1 * np.arange(9) + 0.01)
    rows = list(csv.DictReader((tmp_path / "status.csv").open()))
    assert [row["accepted"] for row in rows] == ["1"] * 9 + ["0"] and rows[-1]["reason"] == "too few inliers"


@pytest.mark.parametrize("command", ["localize", "evaluate"])
def test_a_command_says_why_no_frame_was_localized(
    command: str, small_map: Path, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    output = ["--out", tmp_path / "poses.txt"] if command == "localize" else []
    assert run(command, small_map, f"{small_sequence}[9:]", *output) == 0
    text = " ".join(capsys.readouterr().err.split())
    assert "no frame was localized; of 1 of 1 the reason is: too few inliers." in text and "?turn=90" in text


@pytest.mark.parametrize("problem", ["", "images want another focal length"])
def test_localize_and_evaluate_warn_on_stderr_of_a_calibration_that_images_contradict(
    small_map: Path, small_sequence: Path, tmp_path: Path, capsys, monkeypatch, problem: str
) -> None:
    from cl_localization.localizer import Localizer

    monkeypatch.setattr(Localizer, "calibration", SimpleNamespace(problem=problem))
    for words in (("localize", small_map, small_sequence, "--out", tmp_path / "poses.txt"),
                  ("evaluate", small_map, small_sequence)):
        assert run(*words) == 0
        assert capsys.readouterr().err.count("images want another focal length") == bool(problem)


def test_the_most_frequent_reason_is_said_whatever_its_figures() -> None:
    from cl_localization.cli.localizing import why_none

    reasons = ["support 2.0, 9.0 needed", "12 inliers, 30 needed", "9 inliers, 30 needed"]
    assert "of 2 of 3 the reason is: 12 inliers, 30 needed." in why_none([SimpleNamespace(reason=r) for r in reasons])


def test_evaluate_prints_a_table_and_writes_the_same_as_json(
    small_map: Path, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    assert run("evaluate", small_map, small_sequence, "--json", tmp_path / "a.json", "--regressor", "nearest") == 0
    result = json.loads((tmp_path / "a.json").read_text())
    assert CONTRACT <= set(result)
    assert (result["frames"], result["localized"], result["codes"], result["map_bytes"]) == (10, 9, 100, 4000)
    assert result["median_translation_cm"] == pytest.approx(1.0, abs=1e-6)
    assert result["within_5cm_5deg_percent"] == 90.0
    assert len(result["per_frame"]) == 10 and result["config"]["regressor"] == "nearest" and result["seed"] == 0
    text = capsys.readouterr().out
    assert "median translation" in text and "90" in text


def test_info_shows_counts_scenes_and_metadata(small_map: Path, capsys) -> None:
    assert run("info", small_map) == 0
    text = capsys.readouterr().out
    assert (
        "xfeat, 64-D" in text and "default" in text and "format_version" in text and '"camera": {"width_px": 32' in text
    )
    assert run("info", small_map, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["scenes"][0]["codes"] == 100
    assert told["health"]["warnings"] == ["the axes look wrong"] and told["health"]["codes_seen_once_percent"] == 36.0
    assert told["health"]["pose_innovation_factor"] is None and told["health"]["keyframes_moved_m"] == 0.0


def test_plot_draws_map_trajectory_and_curves(small_map: Path, small_sequence: Path, tmp_path: Path) -> None:
    run("localize", small_map, small_sequence, "--out", tmp_path / "poses.txt")
    run("evaluate", small_map, small_sequence, "--json", tmp_path / "a.json")
    for words in (
        [small_map],
        ["--trajectories", tmp_path / "poses.txt"],
        ["--evaluations", tmp_path / "a.json"],
        [
            small_map,
            "--trajectories",
            tmp_path / "poses.txt",
            "--evaluations",
            tmp_path / "a.json",
            tmp_path / "a.json",
        ],
    ):
        assert run("plot", *words, "--out", tmp_path / "figure.png") == 0
        assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
        (tmp_path / "figure.png").unlink()


def test_bag_writes_a_bag_and_a_bag_gives_the_frames_back(small_sequence: Path, tmp_path: Path, capsys) -> None:
    assert run("bag", small_sequence, "--out", tmp_path / "bag") == 0
    assert "/camera/camera_info" in capsys.readouterr().out and (tmp_path / "bag" / "metadata.yaml").is_file()
    assert run("bag", tmp_path / "bag", "--out", tmp_path / "frames") == 0
    assert len(list((tmp_path / "frames").glob("*.color.png"))) == 10
    assert run("bag", f"{small_sequence}[:2]", "--out", tmp_path / "part", "--to", "7scenes") == 0
    assert run("bag", f"{small_sequence}[:3]", "--out", tmp_path / "part", "--to", "7scenes", "--force") == 0
    assert len(list((tmp_path / "part").glob("*.color.png"))) == 3


def test_config_prints_or_writes_a_file_that_the_commands_take(
    fake_core, small_sequence: Path, tmp_path: Path, capsys
) -> None:
    assert run("config", "localizer") == 0
    assert yaml.safe_load(capsys.readouterr().out)["pose"]["min_inliers"] == 30
    assert run("config", "mapper", "--out", tmp_path / "mapper.yaml") == 0
    assert (
        run(
            "map",
            small_sequence,
            "--out",
            tmp_path / "a.map",
            "--config",
            tmp_path / "mapper.yaml",
            "--depth.max-depth-m",
            "2",
        )
        == 0
    )
    assert fake_core.mappers[0].config.depth.max_depth_m == 2.0


def test_view_needs_viser_and_says_how_to_get_it(small_map: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    assert run("view", small_map) == 1
    assert "view needs the package viser" in (text := " ".join(capsys.readouterr().err.split()))
    assert "scripts/run pip install -c requirements/constraints.txt -e '.[view]'" in text


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_view_refuses_what_is_no_port(small_map: Path, fake_viser: list, capsys, port: str) -> None:
    assert run("view", small_map, "--port", port) == 1 and not fake_viser
    assert f"--port must lie in 1 to 65535, found {port}" in capsys.readouterr().err


def test_view_serves_the_map_until_interrupted(small_map: Path, fake_viser: list, capsys) -> None:
    assert run("view", small_map, "--port", "9000") == 0
    (server,) = fake_viser
    assert "at http://127.0.0.1:9001, Ctrl-C stops it" in capsys.readouterr().out, "the port that the server got"
    assert server.address == {"host": "127.0.0.1", "port": 9000} and server.stopped
    assert (server.scene.up, set(server.scene.added)) == ("-y", {"/codes", "/keyframes"})


def test_view_live_watches_nodes_until_interrupted_with_or_without_a_map(small_map: Path, fake_viser: list) -> None:
    pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")
    for words in ((), (small_map,)):
        assert run("view", *words, "--live", "--namespace", "robot1") == 0
        assert fake_viser[-1].stopped and "Nothing has been heard" in fake_viser[-1].gui.text.content
    assert "/codes" in fake_viser[-1].scene.added and "/codes" not in fake_viser[0].scene.added


def test_view_of_nothing_and_live_without_ros_say_what_is_missing(monkeypatch, capsys, fake_viser: list) -> None:
    assert run("view") == 1
    assert "view needs a map file, found none; give one, or --live" in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.setitem(sys.modules, "cl_localization.ros.live_view", None)
    assert run("view", "--live") == 1
    assert "view --live needs ROS 2" in capsys.readouterr().err


def test_bench_makes_its_tables_from_a_photo_set(fake_core, small_sequence: Path, tmp_path: Path, capsys) -> None:
    assert run("bench", "--tables", "photos", "--photos", small_sequence, "--out", tmp_path / "out") == 0
    result = json.loads((tmp_path / "out" / "bench.json").read_text())["experiments"][0]
    assert (result["mapped"], result["summary"]["frames"]) == (8, 2)
    text = (tmp_path / "out" / "bench.md").read_text()
    assert "| photos lines | 8 | 2 |" in text
    assert "photos lines" in capsys.readouterr().out


def test_bench_splits_the_kitchen_by_frame_number(fake_core, small_sequence: Path, tmp_path: Path, monkeypatch) -> None:
    kitchen = tmp_path / "data" / "redkitchen" / "seq-01"
    kitchen.mkdir(parents=True)
    for path in small_sequence.iterdir():
        name = (
            path.name.replace("00000", "00015")
            if path.name.endswith(("0.color.png", "0.depth.png", "0.pose.txt"))
            else path.name
        )
        name = name.replace("00009", "00410").replace("000009", "000410")
        shutil.copy(path, kitchen / name)
    (kitchen / "stamps.txt").unlink()
    monkeypatch.setenv("CL_LOCALIZATION_DATA", str(tmp_path / "data"))
    assert run("bench", "--tables", "kitchen", "--out", tmp_path / "out") == 0
    experiments = json.loads((tmp_path / "out" / "bench.json").read_text())["experiments"]
    assert [experiment["name"] for experiment in experiments] == [
        "kitchen near, depth",
        "kitchen far, depth",
        "kitchen near, no depth",
        "kitchen far, no depth",
        "kitchen, all frames, depth",
    ]
    assert [experiment["mapped"] for experiment in experiments] == [9, 9, 9, 9, 10]
    assert experiments[-1]["summary"] is None


def test_every_command_says_what_the_reader_assumed_and_where_the_camera_is_from(
        fake_core, small_sequence: Path, small_map: Path, tmp_path: Path, capsys) -> None:
    for name in ("map", "localize", "evaluate", "bag"):
        out = [] if name == "evaluate" else ["--out", tmp_path / f"{name}.out"]
        folder = tmp_path / f"walk_{name}"
        shutil.copytree(small_sequence, folder)
        (folder / "camera.yaml").rename(folder / "camera-intrinsics.txt")
        (folder / "camera-intrinsics.txt").write_text("30 0 15.5 0 30 11.5 0 0 1")
        words = [small_map, folder] if name in ("localize", "evaluate") else [folder]
        assert run(name, *words, *out) == 0
        shown = capsys.readouterr()
        assert "note: " in shown.err and "depth and poses are taken as those of the camera in" in shown.err
        if name != "bag":
            assert row(shown.out, "camera fx") == "30.0" and row(shown.out, "frames with depth") == "10"
            assert "camera-intrinsics.txt)" in shown.out


def test_an_evaluation_is_written_as_one_page_that_needs_nothing_else(
        small_map: Path, small_sequence: Path, tmp_path: Path) -> None:
    assert run("evaluate", small_map, small_sequence, "--html", tmp_path / "report.html") == 0
    text = (tmp_path / "report.html").read_text()
    for heading in ("Summary", "From above", "Errors", "Worst images", "Map", "Health of the map", "Made with"):
        assert f"<h2>{heading}</h2>" in text
    assert "codes seen once" in text and "<li>the axes look wrong</li>" in text
    assert text.count("data:image/png;base64,") == 2 and text.count("data:image/jpeg;base64,") == 7
    assert re.findall(r"(?:src|href)=.(?!data:)", text) == [] and "http" not in text
    assert "refused (too few inliers)" in text and "frame-000009" in text
