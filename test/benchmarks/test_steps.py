"""The tables of steps and of large maps: a row for each, with the ratio that counts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import steps
from benchmarks.steps import HEADERS, HEADERS_LARGE, engine_table, large_table, note, quickest
from cl_localization.config import EncoderConfig
from flow_makers import localized, pose, wall_frame
from map_makers import empty_map, grow


class FakeLocalizer:
    """Finds every image, in some seconds by step."""

    def __init__(self, *_: object) -> None:
        self.config, self.encoder = SimpleNamespace(encoder=EncoderConfig(device="cpu")), None
        self.map_code = empty_map()
        grow(self.map_code)

    def localize(self, frame: object) -> SimpleNamespace:
        """Return an accepted pose."""
        found = localized(frame)
        return SimpleNamespace(accepted=found.accepted, timings_s={"encode": 0.01, "solve": 0.002})


def test_every_engine_and_step_has_a_row_with_its_share_of_the_network() -> None:
    table = engine_table(FakeLocalizer(), [wall_frame(pose(), number) for number in range(2)])
    titles = [row[0] for row in table.rows]
    assert all(len(row) == len(HEADERS) for row in table.rows)
    assert titles[0] == "E: the network alone, torch on cpu" and titles[-1] == "full localization"
    assert steps.STEPS["encode"] in titles and steps.STEPS["solve"] in titles and steps.STEPS["refine"] not in titles
    assert float(table.rows[0][2]) == 1.0
    medians = table.results["steps_s"]
    assert medians["encode"] == pytest.approx(5 * medians["solve"], rel=0.5)


def test_room_and_building_have_a_row_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "Localizer", FakeLocalizer)
    monkeypatch.setattr(steps, "open_sequence", lambda spec: [wall_frame(pose(), number) for number in range(20)])
    table = large_table(FakeLocalizer(), [wall_frame(pose(), 1)])
    assert [len(row) for row in table.rows] == [len(HEADERS_LARGE)] * 2
    assert table.rows[0][4] == "1.00" and [row[5] for row in table.rows] == ["100", "100"]


def test_what_was_timed_is_noted() -> None:
    times: dict[str, list[float]] = {}
    assert [note(times, "work", abs, -7) for _ in range(2)] == [7, 7]
    assert len(times["work"]) == 2 and np.min(times["work"]) >= 0


def test_the_quickest_of_all_tries_counts() -> None:
    assert quickest([3.0, 1.0, 2.0, 2.0], 2).tolist() == [2.0, 1.0]
    assert quickest([3.0, 1.0, 2.0], 2).tolist() == [3.0, 1.0, 2.0]
