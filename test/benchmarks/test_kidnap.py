"""The table of kidnappings, with a localizer that is always right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kidnap as bench_kidnap
from benchmarks.runs import Bench, Experiment
from cl_localization.cli.main import main
from cl_localization.data.frame import Frame
from cl_localization.localization.result import Localization


class RightLocalizer:
    """Knows the truth, on little evidence."""

    def localize(self, frame: Frame) -> Localization:
        """Return the true pose."""
        return Localization(frame.stamp_ns, True, "ok", frame.world_T_cam, np.eye(6) * 1e-4, matches=40,
                            inlier_ratio=1.0)

    def reset(self) -> None:
        """Forget nothing: it never knew more than the image."""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Experiment]:
    """One room that is not mapped; gives the experiments that were asked for."""
    asked: list[Experiment] = []

    def run(bench: Bench, experiment: Experiment) -> None:
        asked.append(experiment)
        bench.localizer = RightLocalizer()

    monkeypatch.setattr(Bench, "run", run)
    monkeypatch.setattr(bench_kidnap, "ROOMS", 1)
    monkeypatch.setattr(bench_kidnap, "STRETCH_FRAMES", 4)
    return asked


def test_bench_carries_a_robot_about_and_tells_how_soon_it_knew_where_it_was(quick, tmp_path: Path, capsys) -> None:
    assert main(["bench", "--tables", "kidnap", "--kidnappings", "3", "--out", str(tmp_path / "out")]) == 0
    mapping, queries = quick[0].open()
    assert len(mapping) == bench_kidnap.MAPPING_FRAMES_A_ROOM and queries is None
    rows = json.loads((tmp_path / "out" / "bench.json").read_text())["kidnappings"]
    assert [row["name"] for row in rows] == ["every image, odometry", "every third image, odometry",
                                             "every image, no odometry", "every third image, no odometry",
                                             "30 Hz with flow, odometry", "30 Hz with flow, no odometry"]
    assert [(row["kidnappings"], row["in_time"], row["wrong"], row["images"])
            for row in rows[:4:2]] == [(3, 3, 0, 12)] * 2
    assert [(row["kidnappings"], row["in_time"], row["wrong"], row["images"])
            for row in rows[4:]] == [(3, 3, 0, 36)] * 2
    assert "| every image, odometry | 3 | 3 | 0 | 0.1 | 0.1 | 12 |" in (tmp_path / "out" / "bench.md").read_text()
    assert "kidnappings" in capsys.readouterr().out
