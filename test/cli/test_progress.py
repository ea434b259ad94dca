from __future__ import annotations

import io

import pytest
from rich.console import Console

from cl_localization.cli import progress
from cl_localization.cli.progress import PlainLines, plain_line, shown_progress, tracked


def test_a_plain_line_says_share_rate_and_time_left() -> None:
    assert plain_line("mapping", 50, 200, 10.0, "frames") == "mapping: 50/200 frames, 5.0 frames/s, 30 s left"


def test_quick_work_prints_nothing_where_there_is_no_terminal(capsys) -> None:
    assert list(tracked(range(3), 3, "mapping")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_slow_work_prints_a_line_now_and_then(monkeypatch) -> None:
    times = iter([0.0, 4.0, 11.0, 12.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    stream = io.StringIO()
    tell = PlainLines(Console(file=stream, width=200), "mapping", "frames")
    for done in range(1, 5):
        tell(done, 4)
    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["mapping: 2/4 frames", "mapping: 4/4 frames"]


@pytest.mark.parametrize("items", [0, 5])
def test_a_terminal_gets_a_bar(items: int, monkeypatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(progress, "error_console", lambda: Console(file=stream, force_terminal=True, width=120))
    assert list(tracked(range(items), items, "mapping")) == list(range(items))
    with shown_progress("writing") as tell:
        tell(1, 2)
    assert "mapping" in stream.getvalue() and "1/2" in stream.getvalue()
