"""The demo's table, picture and exit code; that it runs with real nodes is tested in test/ros."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from cl_localization.cli.main import main
from cl_localization.demo import command as demo
from cl_localization.demo.command import StageLines, shown_stages
from cl_localization.demo.report import result_json, result_rows
from cl_localization.demo.result import DemoResult, Estimate, Place


def pose(x_m: float, error_m: float = 0.0) -> np.ndarray:
    """An upright camera on a line."""
    return np.array([[1.0, 0, 0, x_m + error_m], [0, 0, 1, 0], [0, -1, 0, 1], [0, 0, 0, 1]])


def result_of(recovered: list[bool], error_m: float = 0.01, folder: Path = Path()) -> DemoResult:
    """A demo whose places were recovered or not and whose tracking has one error all along."""
    places = [
        Place(pose(x), pose(x, 0.02) if good else None, 0.3 + 0.1 * x if good else None)
        for x, good in enumerate(recovered)
    ]
    tracking = [Estimate(stamp, pose(stamp), pose(stamp, error_m)) for stamp in range(5)]
    path = np.array([pose(x) for x in range(9)])
    return DemoResult(path, places, path[:5], tracking, tracking, 50, [40.0, 60.0], 1_500_000, 2000, 12,
                      np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32), folder / "map.safetensors",
                      np.zeros((24, 32, 3), np.uint8), 61.0)


@pytest.fixture
def demo_that_gives(monkeypatch):
    """Put a function in the place of the demo with real nodes; it tells its progress and gives a result."""
    def install(result: DemoResult) -> None:
        def run_demo(config: object, progress) -> DemoResult:
            progress(SimpleNamespace(stage="mapping", step=0, steps=2, detail="3 keyframes"))
            progress(SimpleNamespace(stage="place 0", step=1, steps=2, detail=""))
            return result

        module = ModuleType("cl_localization.demo.conductor")
        module.run_demo = run_demo
        monkeypatch.setitem(sys.modules, "cl_localization.demo.conductor", module)
    return install


def test_a_demo_that_worked_leaves_table_picture_and_exit_code_0(demo_that_gives, tmp_path: Path, capsys) -> None:
    demo_that_gives(result_of([True] * 5))
    assert main(["demo", "--out", str(tmp_path / "out" / "demo"), "--places", "5"]) == 0
    streams = capsys.readouterr()
    assert "5 of 5" in streams.out and "It worked." in streams.out
    assert " 1/2  mapping    3 keyframes\n 2/2  place 0\n" in streams.err
    assert (tmp_path / "out" / "demo" / "demo.png").read_bytes()[:4] == b"\x89PNG"
    written = json.loads((tmp_path / "out" / "demo" / "demo.json").read_text())
    assert written["worked"] and written["config"]["places"] == 5 and len(written["kidnappings"]) == 5


@pytest.mark.parametrize(
    "result", [result_of([True, False]), result_of([True], error_m=0.2), result_of([True], error_m=0.6), result_of([])]
)
def test_a_demo_that_did_not_work_says_so_with_exit_code_1(
    result: DemoResult, demo_that_gives, tmp_path: Path, capsys
) -> None:
    demo_that_gives(result)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert "It did not work." in capsys.readouterr().out
    assert (tmp_path / "demo.png").is_file() and json.loads((tmp_path / "demo.json").read_text())["worked"] is False


def test_the_table_names_bounds_and_whether_they_are_kept() -> None:
    rows = {
        what: (value, bound, mark) for what, value, bound, mark in result_rows(result_of([True, False], error_m=0.6))
    }
    assert rows["kidnappings recovered"] == ("1 of 2", "2 of 2", "NO")
    assert rows["wrong poses trusted"] == ("5", "0", "NO")
    assert rows["error of live tracking, median"][1:] == ("<= 10 cm", "NO")
    assert rows["map"][0] == "1.50 MB, 2,000 codes, 12 keyframes"


def test_nothing_found_is_null_in_the_json() -> None:
    numbers = result_json(result_of([False]))
    assert numbers["median_seconds_to_recover"] is None and numbers["kidnappings"][0]["estimate"] is None
    assert json.dumps(numbers, allow_nan=False)


def test_without_ros_the_error_names_the_script_that_sets_it_up(monkeypatch, tmp_path: Path, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cl_localization.demo.conductor", None)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert (
        text.startswith("error: demo needs ROS 2")
        and text.count("\n") == 1
        and "run scripts/demo, which sets both up" in text
    )


def test_a_folder_that_cannot_be_made_is_found_before_the_work(tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("")
    assert main(["demo", "--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


def test_a_terminal_gets_a_live_line(monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(demo, "error_console", lambda: Console(file=stream, force_terminal=True, width=120))
    with shown_stages() as tell:
        tell(SimpleNamespace(stage="mapping", step=0, steps=2, detail="3 keyframes"))
    assert "mapping" in stream.getvalue() and "3 keyframes" in stream.getvalue()


def test_elsewhere_a_stage_is_told_once() -> None:
    stream = io.StringIO()
    lines = StageLines(Console(file=stream, width=200))
    for count in range(3):
        lines(SimpleNamespace(stage="mapping", step=0, steps=2, detail=f"{count} keyframes"))
    lines(SimpleNamespace(stage="place 0", step=1, steps=2, detail=""))
    assert stream.getvalue() == " 1/2  mapping    0 keyframes\n      2 keyframes\n 2/2  place 0\n"
