"""One table of `bench`: printed, written as Markdown, and kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cl_localization.cli.tables import output_console, print_rows


@dataclass(frozen=True)
class BenchTable:
    """A table with what is said under it.

    Attributes:
        title: what it shows.
        headers, rows: cells as text; a table without rows is not shown.
        sentence: said under the table; empty for nothing.
        results: the same for bench.json, by top-level key.
    """

    title: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    sentence: str = ""
    results: dict[str, Any] = field(default_factory=dict)

    def show(self) -> None:
        """Print the table."""
        if self.rows:
            print_rows(self.title, self.rows, self.headers)
        if self.sentence:
            output_console().print(self.sentence, soft_wrap=True)

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"| {' | '.join(cells)} |" for cells in (self.headers, *self.rows)]
        lines.insert(1, "|" + "---|" * len(self.headers))
        parts = ["\n".join([self.title, "", *lines, ""])] if self.rows else []
        return "\n".join([*parts, *([f"{self.sentence}\n"] if self.sentence else [])])


def spread(values: Sequence[float] | np.ndarray) -> str:
    """Return a mean with the standard deviation of several runs; a dash where nothing was measured."""
    if len(values) == 0 or not np.isfinite(values).all():
        return "-"
    return f"{np.mean(values):.1f}" + (f" ± {np.std(values):.1f}" if len(values) > 1 else "")
