from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import place_stretches as bench_stretches
from benchmarks import places as bench_places
from benchmarks.places import place_tables
from cl_localization.cli.main import main
from cl_localization.research.seqmatchnet.options import NetworkConfig, SeqMatchNetConfig, TrainingConfig
from place_makers import write_images


@pytest.fixture
def small(monkeypatch) -> None:
    """A short training, few places and a small index."""
    quick = SeqMatchNetConfig(network=NetworkConfig(channels=2, out_dims=8),
                              training=TrainingConfig(epochs=1, batches_per_epoch=1, run_length=8))
    monkeypatch.setattr(bench_places, "SeqMatchNetConfig", lambda: quick)
    monkeypatch.setattr(bench_places, "TRAINED_PLACES", 40)
    monkeypatch.setattr(bench_stretches, "FAR", 5)
    monkeypatch.setattr(bench_stretches, "STRETCHES", 2)
    monkeypatch.setattr(bench_places, "BIG_INDEX", 6000)
    monkeypatch.setattr(bench_places, "BIG_WIDTH", 16)
    monkeypatch.setattr(bench_places, "BIG_QUERIES", 3)


def test_every_table_has_its_columns(small, tmp_path: Path) -> None:
    for seed, season in enumerate(("summer", "winter")):
        write_images(tmp_path / season, list(range(80)), seed)
    tables = list(place_tables(tmp_path, seeds=1))
    assert [len(table.rows) for table in tables] == [12, 3, 3, 6]
    assert all(len(row) == len(table.headers) for table in tables for row in table.rows)


def test_live_recall_counts_keyframes_within_the_tolerance() -> None:
    database = np.random.default_rng(0).normal(size=(50, 32)).astype(np.float32)
    assert bench_places.live_recall(database, database[10:40], np.arange(10, 40)) == 1.0
    assert bench_places.live_recall(database, database[10:40], np.arange(10, 40) + 5) == 0.0


def test_bench_writes_the_tables_of_places(small, tmp_path: Path) -> None:
    for seed, season in enumerate(("summer", "winter")):
        write_images(tmp_path / "nordland" / season, list(range(80)), seed)
    words = ["bench", "--tables", "places", "--data", str(tmp_path), "--place-seeds", "0", "--out",
             str(tmp_path / "out")]
    assert main(words) == 0
    assert len(json.loads((tmp_path / "out" / "bench.json").read_text())["places"]) == 3
    assert "recall@1, L = 10" in (tmp_path / "out" / "bench.md").read_text()


def test_bench_says_which_data_is_missing(tmp_path: Path, capsys) -> None:
    assert main(["bench", "--tables", "places", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "nordland is missing; give --data FOLDER" in capsys.readouterr().err
