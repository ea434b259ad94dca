"""The tables of what a radiance field is worth, on a small simulated room."""

from __future__ import annotations

import pytest

from cl_localization.cli import bench_pose_check, bench_worth
from cl_localization.cli.bench_options import WorthBenchConfig
from cl_localization.cli.bench_pose_check import together
from cl_localization.cli.bench_worth import worth_tables
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.errors import ConfigError
from cl_localization.evaluation.worth import Look
from cl_localization.localizer import Localization


@pytest.fixture
def small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have simulated images be small."""
    for module in (bench_pose_check, bench_worth):
        monkeypatch.setattr(module, "open_sequence", lambda spec: open_sequence(f"{spec}&size=160x120"))


def test_each_use_is_shown_on_and_off(small_images) -> None:
    options = WorthBenchConfig(rooms=1, frames=8, queries=2, others=1, steps=1, budget_mb=0.02, every=2, novelty_db="18")
    check, replayed, novelty = worth_tables(None, options, MapperConfig(), LocalizerConfig())
    for table in (check, replayed, novelty):
        assert all(len(row) == len(table.headers) for row in table.rows)
    rows = check.results["pose_check"]
    assert [row["place"] for row in rows] == ["room 31"] * 5
    assert [row["same"]["queries"] for row in rows] == [10] * 5 and rows[-1]["others"] == {"queries": 2, "right": 0, "wrong": 0}
    maps = replayed.results["generative_replay"]
    assert [one["field_bytes"] > 0 for one in maps] == [False, True, False, False]
    assert maps[0]["map_bytes"] <= 20_000 < maps[1]["map_bytes"] <= 100_000
    by = novelty.results["novelty"]
    assert [one["by"] for one in by] == ["novelty below 18 dB", "way", "time"]
    assert by[0]["keyframes"] == by[2]["keyframes"] and abs(by[0]["keyframes"] - by[1]["keyframes"]) <= 2


def test_the_queries_of_all_places_are_counted_together() -> None:
    one, other = Look(Localization(1)), Look(Localization(2))
    tried = [([one], [], [other]), ([other, other], [one], [])]
    assert together(tried) == [("all", ([one, other, other], [one], [other]))] and together(tried[:1]) == []


def test_bounds_of_novelty_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ConfigError, match="worth.novelty_db"):
        WorthBenchConfig(novelty_db="14,low").novelties_db


def test_an_unknown_use_is_refused() -> None:
    with pytest.raises(ConfigError, match="worth.uses"):
        worth_tables(None, WorthBenchConfig(uses="check,cook"), MapperConfig(), LocalizerConfig())
