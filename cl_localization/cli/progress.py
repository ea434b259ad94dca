"""Progress on stderr: a bar with rate and time left on a terminal, else a plain line every ten seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from cl_localization.cli.tables import error_console

Item = TypeVar("Item")
Tell = Callable[[int, int], None]
"""Callback with (done, total)."""

PLAIN_PERIOD_S = 10.0


class RateColumn(ProgressColumn):
    """Items per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate of a task; empty while it is unknown."""
        return Text(f"{task.speed:.1f} {self.unit}/s" if task.speed else "")


def tracked(items: Iterable[Item], total: int, label: str, unit: str = "frames") -> Iterator[Item]:
    """Yield `items` and show the progress.

    Args:
        total: number of items.
        label: text of the progress bar.
        unit: name of the items.
    """
    with shown_progress(label, unit) as tell:
        for done, item in enumerate(items, start=1):
            yield item
            tell(done, total)


@contextmanager
def shown_progress(label: str, unit: str = "frames") -> Iterator[Tell]:
    """Show the progress inside the context; yields the function to call with (done, total)."""
    console = error_console()
    if not console.is_terminal:
        yield PlainLines(console, label, unit)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(unit),
               TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class PlainLines:
    """Prints a line of progress every ten seconds."""

    def __init__(self, console: Console, label: str, unit: str) -> None:
        self.console, self.label, self.unit = console, label, unit
        self.start_s = self.shown_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Print a line if the last one is ten seconds old."""
        now_s = time.monotonic()
        if now_s - self.shown_s >= PLAIN_PERIOD_S:
            self.shown_s = now_s
            self.console.print(plain_line(self.label, done, total, now_s - self.start_s, self.unit), soft_wrap=True)


def plain_line(label: str, done: int, total: int, elapsed_s: float, unit: str) -> str:
    """Return a line of progress: items done, rate, time left."""
    rate = max(done, 1) / max(elapsed_s, 1e-9)
    return f"{label}: {done}/{total} {unit}, {rate:.1f} {unit}/s, {max(total - done, 0) / rate:.0f} s left"
