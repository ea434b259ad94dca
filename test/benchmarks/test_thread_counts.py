"""The table of threads: a row for each number of busy programs and of threads, and all is as before afterwards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import thread_counts
from benchmarks.thread_counts import BUSY, HEADERS, THREADS, busy, thread_table
from cl_localization.config import EncoderConfig
from cl_localization.features.engines import threads
from flow_makers import pose, wall_frame


def test_every_number_of_threads_is_tried_beside_every_number_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_localization.features.engines._chosen", 0)  # a node in this process may have chosen
    used, before = [], threads()
    engine = SimpleNamespace(name="fake", run=lambda grey: used.append(threads()))
    monkeypatch.setattr(thread_counts, "make_engine", lambda config: engine)
    monkeypatch.setattr(thread_counts, "BUSY_LOOP", "pass")
    table = thread_table(EncoderConfig(), [wall_frame(pose(), number) for number in range(2)])
    assert [row[:2] for row in table.rows] == [(str(beside), str(count)) for beside in BUSY for count in THREADS]
    assert all(len(row) == len(HEADERS) for row in table.rows)
    assert set(used) == set(THREADS) and threads() == before


def test_busy_programs_end_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    monkeypatch.setattr(thread_counts.subprocess, "Popen", lambda words: started.append(
        SimpleNamespace(kill=lambda: started.append("killed"), wait=lambda: None)) or started[-1])
    with pytest.raises(KeyError), busy(1):
        raise KeyError
    assert started[-1] == "killed"
