"""The table of one map of many rooms, on two small simulated ones."""

from __future__ import annotations

import pytest

from benchmarks import scenes as bench_scenes
from benchmarks.scenes import scenes_tables
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence


@pytest.fixture
def short_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few frames of small images."""
    monkeypatch.setattr(bench_scenes, "open_sequence", lambda spec: open_sequence(
        f"{spec}&frames={12 if 'mapping' in spec else 8}&size=160x120"))


def test_the_rooms_are_told_apart_and_the_last_row_is_of_all(short_drives) -> None:
    [scenes] = scenes_tables(None, MapperConfig(), LocalizerConfig(), rooms=2)
    rooms = scenes.results["scenes"]
    assert [room["name"] for room in rooms] == ["room 1", "room 2", "all"]
    assert [room["images"] for room in rooms] == [8, 8, 16] and rooms[2]["later"] == 8
    assert rooms[2]["wrong"] == 0 and rooms[2]["codes"] == rooms[0]["codes"] + rooms[1]["codes"]
    assert len(scenes.rows[0]) == len(scenes.headers)
