"""The table of rooms that are mapped twice, with changes between."""

from __future__ import annotations

import pytest

from benchmarks import relearn as bench_relearn
from benchmarks.options import ContinualBenchConfig
from benchmarks.relearn import CHANGES, FIRST_SEED, HEADERS, Twice, cells, relearn_table
from cl_localization.config import EncoderConfig, LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.features import make_encoder


@pytest.fixture(scope="module")
def results() -> list[dict]:
    """What a room tells that is mapped twice without a change and with other furniture, on very few frames with few
    keypoints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_relearn, "CHANGES", {name: CHANGES[name] for name in ("nothing", "all furniture")})
        options = ContinualBenchConfig(rooms_twice=1, frames=8, queries=4)
        table = relearn_table(options, MapperConfig(), LocalizerConfig(regressor="nearest"),
                              make_encoder(EncoderConfig(max_keypoints=500)))
    assert [row[:2] for row in table.rows] == [(f"sim:{FIRST_SEED}?rooms=1", name)
                                               for name in ("nothing", "all furniture")]
    assert all(len(row) == len(HEADERS) for row in table.rows)
    return table.results["relearn"]


def test_a_second_run_without_a_change_adds_and_takes_nothing(results) -> None:
    same = results[0]
    assert (same["memory_percent"], same["gone_percent"]) == (100.0, 0.0)
    assert same["both_before"] == same["before_before"] == same["both_after"]


def test_a_second_run_among_other_furniture_adds_what_is_new(results) -> None:
    assert results[1]["memory_percent"] > 110.0


def test_cells_show_both_bounds() -> None:
    found = Twice((100.0, 100.0), (2.5, 5.0), (70.0, 99.6), (100.0, 100.0), (68.4, 97.5), 134.2, 1.26)
    assert cells(found) == ("100 (100)", "2 (5)", "70 (100)", "100 (100)", "68 (98)", "134", "1.3")


def test_every_change_is_one_the_simulator_knows() -> None:
    for keys in CHANGES.values():
        assert len(open_sequence(f"sim:1?frames=2&rooms=1&{keys}" if keys else "sim:1?frames=2&rooms=1")) == 2
