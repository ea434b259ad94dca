"""A table of `bench` as Markdown."""

from __future__ import annotations

from benchmarks.table import BenchTable


def test_a_table_has_a_line_for_each_row_and_its_sentence_below() -> None:
    table = BenchTable("errors", ("a", "b"), [("1", "2")], "Small.")
    assert table.markdown() == "errors\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSmall.\n"


def test_a_table_without_rows_is_its_sentence() -> None:
    assert BenchTable("errors", ("a", "b"), [], "Nothing.").markdown() == "Nothing.\n"
