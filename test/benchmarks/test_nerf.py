from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.nerf import PARTS, STREAMS, chosen, methods_of
from benchmarks.nerf_beside import table_of
from benchmarks.nerf_tasks import FIRST, METHODS
from cl_localization.cli.main import main
from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.research.nerf_cl.options import NerfConfig
from nerf_makers import write_frames, write_scene


@pytest.fixture
def small_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fields of few voxels, which learn from few rays at once."""
    def made(*arguments: object, **values: object) -> NerfConfig:
        return with_values(NerfConfig(*arguments, **values), {"voxel.voxels": 1000, "learning.batch_size": 128})

    monkeypatch.setattr("benchmarks.nerf.NerfConfig", made)


@pytest.mark.long
@pytest.mark.usefixtures("small_fields")
def test_the_tables_of_radiance_fields_are_made_at_a_tiny_scale(tmp_path: Path) -> None:
    write_scene(tmp_path / "lego", {"train": 6, "test": 4})
    kitchen = tmp_path / "redkitchen" / "seq-01"
    kitchen.mkdir(parents=True)
    write_frames(kitchen, 9)
    out = tmp_path / "out"
    words = ["bench", "nerf", "--data", str(tmp_path), "--out", str(out), "--nerf.methods", "no counter-measure,images",
             "--nerf.parts", "tasks,stream,room,views", "--nerf.side-px", "8", "--nerf.epochs", "1",
             "--nerf.chunk-steps", "1", "--nerf.kitchen-frames", "9", "--nerf.kitchen-steps", "1",
             "--nerf.view-steps", "1", "--nerf.kitchen-voxels", "5000"]
    assert main(words) == 0
    content = json.loads((out / "bench.json").read_text())
    assert [row["name"] for row in content["nerf_tasks"]] == [*FIRST, "no counter-measure", "images"]
    assert [(row["stream"], row["method"]) for row in content["nerf_online"]] == [
        *(("synthetic", method) for method in STREAMS), *(("RedKitchen", method) for method in ("none",
                                                                                                "replay and settling"))]
    assert {file.name for file in out.glob("*.png")} == {
        "nerf_tasks.png", *(f"nerf_synthetic_{method.replace(' ', '_')}.png" for method in STREAMS),
        "nerf_RedKitchen_none.png", "nerf_RedKitchen_replay_and_settling.png"}


def test_all_parts_and_methods_are_made_unless_some_are_named() -> None:
    assert chosen("", METHODS, "methods") == list(METHODS) and chosen(" room,stream", PARTS, "parts") == [
        "room",
        "stream",
    ]
    with pytest.raises(ConfigError, match="option nerf.methods must name some of no counter-measure, distillation of"):
        chosen("prayer", METHODS, "methods")


@pytest.mark.usefixtures("small_fields")
def test_one_part_can_be_made_alone(tmp_path: Path) -> None:
    write_scene(tmp_path / "lego", {"train": 6, "test": 4})
    out = tmp_path / "out"
    assert main(["bench", "nerf", "--data", str(tmp_path), "--out", str(out), "--nerf.parts", "stream",
                 "--nerf.side-px", "8",
                 "--nerf.chunk-steps", "1"]) == 0
    content = json.loads((out / "bench.json").read_text())
    assert [(row["stream"], row["method"]) for row in content["nerf_online"]] == [
        ("synthetic", method) for method in STREAMS]
    assert "nerf_tasks" not in content and not (out / "nerf_tasks.png").exists()


def test_methods_of_other_tables_do_not_empty_a_table() -> None:
    assert methods_of("images, replay", STREAMS) == ["replay"] and methods_of("images", STREAMS) == list(STREAMS)


def test_what_localizing_waits_for_beside_views_is_told_against_alone() -> None:
    alone, beside = table_of(np.array([1.0, 1.0, 2.0]), np.array([1.5, 1.5, 6.0])).rows
    assert alone == ("alone", "3", "1.00", "1.90", "1.00", "1.00")
    assert beside == ("beside keyframes and views", "3", "1.50", "5.55", "1.50", "2.92")


def test_the_synthetic_scene_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "nerf", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "lego is missing" in capsys.readouterr().err
