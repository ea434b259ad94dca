"""The tables of learning without forgetting, on very little."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import continual as bench_continual
from benchmarks.continual import STOP_FRAMES, method_names, open_stream, sentence_of, with_stops
from benchmarks.options import ContinualBenchConfig
from benchmarks.scene_stream import StreamScene
from cl_localization.cli.main import main
from cl_localization.data.frame import Frame
from cl_localization.errors import ConfigError
from data.makers import MadeSequence, make_image
from data.scene_makers import SMALL as CAMERA

SMALL = ["--continual.iterations", "1", "--continual.width", "0.02", "--continual.image-width-px", "32",
         "--continual.buffer-size", "4",
         "--continual.rooms-twice", "0"]


@pytest.fixture
def stream(monkeypatch) -> None:
    """Two scenes of small noisy images instead of rooms."""
    def frame(scene: int, number: int) -> Frame:
        pose = np.eye(4)
        pose[:3, 3] = [30 * scene, 0.1 * number, 0]
        return Frame(number, make_image(number, CAMERA), CAMERA, np.full((48, 64), 2.0, np.float32), pose)

    scenes = [StreamScene(name, [frame(scene, number) for number in range(3)],
                          [frame(scene, number) for number in range(2)])
              for scene, name in enumerate(("RedKitchen", "room 1"))]
    monkeypatch.setattr(bench_continual, "open_stream", lambda options, kitchen: scenes)


def test_every_method_has_its_matrix_and_row(stream, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.delenv("CL_LOCALIZATION_DATA", raising=False)
    words = ["bench", "continual", "--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "out"),
             "--continual.methods",
             "map_code,none,Random,Imgbal,CoverageS,Redundant,joint", "--continual.seeds", "2", *SMALL]
    assert main(words) == 0
    content = json.loads((tmp_path / "r.json").read_text())
    said = content["continual"]
    assert len(said["methods"]) == 7 and said["tasks"] == ["RedKitchen", "room 1"]
    for name, method in said["methods"].items():
        assert np.array(method["percent"], float).shape == (2, 2) and 0 <= method["average"] <= 100, name
        assert set(method["other_bounds"]) == {"20 cm/10 deg", "50 cm/15 deg"}
    joint = said["methods"]["small HSCNet, joint"]
    assert len(joint["seeds"]) == 2 and joint["percent"][0] == [None, None]
    assert content == json.loads((tmp_path / "out" / "bench.json").read_text())
    assert (tmp_path / "out" / "continual.png").stat().st_size > 10_000
    written = (tmp_path / "out" / "bench.md").read_text()
    assert "small HSCNet, Redundant" in written and "5 cm/5 deg: forgotten of RedKitchen" in written
    assert "2 scenes one after the other, RedKitchen first" in capsys.readouterr().out


def test_learned_codes_have_a_row_for_poses_and_one_for_features(stream, tmp_path: Path) -> None:
    words = ["bench", "continual", "--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "out"),
             "--continual.methods", "learned_none,learned_Random,learned_joint", "--continual.seeds", "2",
             "--continual.learned-steps", "1", "--continual.learned-kb", "20", *SMALL]
    assert main(words) == 0
    said = json.loads((tmp_path / "r.json").read_text())
    assert list(said["continual"]["methods"]) == ["learned codes, no replay", "learned codes, Random",
                                                  "learned codes, joint"]
    features = said["learned_features"]
    assert {name: len(matrices) for name, matrices in features.items()} == {"none": 2, "Random": 2, "joint": 2}
    assert np.isfinite([features["joint"][0]["percent"][row][column] for row, column in ((0, 0), (1, 0), (1, 1))]).all()
    assert "more than Random, by seed" in (tmp_path / "out" / "bench.md").read_text()


def test_a_camera_that_stands_still_twice_shows_the_same_frames_again() -> None:
    frames = list(MadeSequence(6))
    standing = with_stops(frames)
    assert len(standing) == 6 - 2 + 2 * STOP_FRAMES
    assert standing[2].image is standing[1 + STOP_FRAMES].image is frames[2].image
    assert all(later.stamp_ns > earlier.stamp_ns for earlier, later in itertools.pairwise(standing))


def test_the_map_code_is_measured_against_ace_where_the_kitchen_is(stream, tmp_path: Path) -> None:
    (tmp_path / "redkitchen" / "seq-01").mkdir(parents=True)
    words = ["bench", "--tables", "continual", "--data", str(tmp_path), "--out", str(tmp_path / "out"),
             "--continual.methods", "map_code",
             "--continual.ace-seconds", "0.01", *SMALL]
    assert main(words) == 0
    said = json.loads((tmp_path / "out" / "bench.json").read_text())["continual"]
    assert list(said["against_ace"]) == ["map code", "map code without depth",
                                         "ACE's head"] and list(said["methods"]) == ["map code"]


def test_unknown_methods_are_named() -> None:
    assert method_names("none, joint") == ["none", "joint"]
    for text in ("", "none,Best"):
        with pytest.raises(ConfigError, match="option continual.methods must name some of map_code, none, Random"):
            method_names(text)


def test_the_stream_begins_with_the_kitchen_and_its_scenes_lie_apart(monkeypatch) -> None:
    monkeypatch.setattr(bench_continual, "open_sequence", lambda spec: MadeSequence(210 if spec == "kitchen" else 24))
    options = ContinualBenchConfig(rooms=2, queries=5)
    scenes = open_stream(options, "kitchen")
    assert [(scene.name, len(scene.frames)) for scene in scenes] == [("RedKitchen", 160), ("room 1", 18),
                                                                     ("room 2", 18)]
    assert all(len(scene.queries) == 5 for scene in scenes)
    middles_m = [np.mean([frame.world_T_cam[:3, 3] for frame in scene.frames], axis=0) for scene in scenes]
    assert np.allclose(middles_m, [[0, 0, 0], [30, 0, 0], [60, 0, 0]])
    other = open_stream(replace(options, room_queries="other"), None)
    assert [scene.name for scene in other] == ["room 1", "room 2"] and len(other[0].frames) == 24
    assert "RedKitchen is left out" in sentence_of(None) and "left out" not in sentence_of("kitchen")


@pytest.mark.long
def test_the_smallest_stream_of_rooms_is_made(tmp_path: Path) -> None:
    words = ["bench", "continual", "--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "out"),
             "--continual.rooms", "2",
             "--continual.frames", "20", "--continual.queries", "4", "--continual.methods", "map_code,Random",
             "--continual.seeds", "1",
             *SMALL]
    assert main(words) == 0
    assert json.loads((tmp_path / "r.json").read_text())["continual"]["methods"]["map code"]["average"] > 50
