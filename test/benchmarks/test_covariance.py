"""The table of covariances, with a localizer that errs by a known amount."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks import covariance as bench_covariance
from benchmarks.calibration import Calibration
from benchmarks.covariance import HEADERS, CovarianceRun
from benchmarks.runs import Bench, Experiment, Outcome
from cl_localization.cli.main import main

FOUND = Calibration(75, 94.7, 96.0, 93.3, 3.08, 2.66, 1.06, 0.75)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """No mapping; gives the experiments that were asked for."""
    asked: list[tuple[str, bool]] = []

    def run(bench: Bench, experiment: Experiment) -> Outcome:
        asked.append((experiment.name, experiment.use_depth))
        return Outcome(experiment.name, 0, 0.0, 0, 0, None, FOUND if experiment.use_depth else None)

    monkeypatch.setattr(Bench, "run", run)
    monkeypatch.setattr(bench_covariance, "SIMULATED_HOUSES", 2)
    monkeypatch.delenv("CL_LOCALIZATION_DATA", raising=False)
    return asked


def test_bench_tells_how_many_errors_lie_inside_the_ellipsoids(quick, tmp_path: Path, capsys) -> None:
    assert main(["bench", "--tables", "covariance", "--out", str(tmp_path / "out")]) == 0
    assert quick == [("simulated house 7, depth", True), ("simulated house 7, no depth", False),
                     ("simulated house 8, depth", True), ("simulated house 8, no depth", False)]
    rows = json.loads((tmp_path / "out" / "bench.json").read_text())["covariances"]
    assert rows[0]["calibration"] == asdict(FOUND) and rows[1]["calibration"] is None
    text = (tmp_path / "out" / "bench.md").read_text()
    assert "| simulated house 7, depth | 75 | 94.7 | 96.0 | 93.3 | 3.08 | 2.66 | 1.06 | 0.75 |" in text
    assert "covariances" in capsys.readouterr().out


def test_a_set_without_accepted_poses_has_dashes() -> None:
    assert CovarianceRun("dark", None).row() == ("dark", "0", *["-"] * (len(HEADERS) - 2))


def test_perturbed_queries_are_asked_for_in_the_map_of_their_experiment(monkeypatch: pytest.MonkeyPatch,
                                                                        kitchen_folder: Path) -> None:
    class Lost:
        """Accepts nothing."""

        def localize(self, frame: object) -> None:
            raise AssertionError("no image is looked at")

    tried: list[str] = []
    monkeypatch.setattr(bench_covariance, "try_sequence", lambda localizer, sequence,
                        label: tried.append(label) or _no_records())
    bench = Bench.__new__(Bench)
    bench.localizer = Lost()
    first = bench_covariance.kitchen_experiments(str(kitchen_folder))[0]
    runs = list(bench_covariance._perturbed_runs(bench, first))
    assert [run.name for run in runs] == [f"kitchen near, depth, {one}" for one in bench_covariance.PERTURBATIONS]
    assert len(tried) == len(runs) and np.all([run.calibration is None for run in runs])


def _no_records() -> object:
    return type("Trial", (), {"records": []})()
