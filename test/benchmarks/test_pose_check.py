"""The table of the pose check, on a small simulated room."""

from __future__ import annotations

import pytest

from benchmarks import pose_check as bench_pose_check
from benchmarks.acceptance_rules import Look
from benchmarks.options import PoseCheckBenchConfig
from benchmarks.pose_check import check_table, together
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.localization.result import Localization


@pytest.fixture
def small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have simulated images be small, of houses of one room."""
    monkeypatch.setattr(bench_pose_check, "open_sequence", lambda spec: open_sequence(
        f"{spec}&size=160x120{'' if 'rooms=' in spec else '&rooms=1'}"))


def test_the_check_is_shown_on_and_off(small_images) -> None:
    options = PoseCheckBenchConfig(rooms=1, frames=8, queries=2, others=1, steps=1)
    table = check_table(None, options, MapperConfig(), LocalizerConfig())
    assert all(len(row) == len(table.headers) for row in table.rows)
    rows = table.results["pose_check"]
    assert [row["place"] for row in rows] == ["room 31"] * 6
    assert [row["same"]["queries"] for row in rows] == [10] * 6 and rows[-1]["others"] == {
        "queries": 2,
        "right": 0,
        "wrong": 0,
    }


def test_the_queries_of_all_places_are_counted_together() -> None:
    one, other = Look(Localization(1)), Look(Localization(2))
    tried = [([one], [], [other]), ([other, other], [one], [])]
    assert together(tried) == [("all", ([one, other, other], [one], [other]))] and together(tried[:1]) == []
