"""Tables on stdout: metric, value, unit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

WIDE_COLUMNS = 200


def output_console() -> Console:
    """Return a console on stdout; if it is no terminal, it is so wide that no cell is cut."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=WIDE_COLUMNS)


def print_rows(title: str, rows: Iterable[Sequence[str]], headers: Sequence[str] = ("metric", "value", "unit")) -> None:
    """Print a title and a table; columns are right-aligned, except for the first and the units."""
    table = Table()
    for position, header in enumerate(headers):
        table.add_column(escape(header), justify="right" if 0 < position and header != "unit" else "left")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    console = output_console()
    console.print(f"[bold]{escape(title)}[/bold]", soft_wrap=True)
    console.print(table)


def source_rows(sequences: Iterable[Any]) -> list[tuple[str, str, str]]:
    """Return what sequences brought as (metric, value, unit): the focal length of each camera and where it is from, and
    how many frames have depth."""
    cameras, with_depth = {}, 0
    for sequence in sequences:
        if hasattr(sequence, "camera_at") and (camera := sequence.camera_at(0)) is not None:
            source = getattr(sequence, "camera_source", "")
            cameras[f"{camera.fx_px:.1f}"] = f"px (from {source})" if source else "px"
            with_depth += sum(sequence.has_depth(index) for index in range(len(sequence)))
    return [*(("camera fx", focal_px, unit) for focal_px, unit in cameras.items()),
            ("frames with depth", f"{with_depth:,}", "")]


def warn_unreadable(unreadable: Sequence[str], skipped: Sequence[str]) -> None:
    """Print on stderr how many frames were skipped, with the first reasons."""
    console = Console(stderr=True, highlight=False, emoji=False)
    if skipped:
        names = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        console.print(
            f"[yellow]{len(skipped)} listed frames are missing or unusable: {escape(names)}[/yellow]", soft_wrap=True
        )
    for message in unreadable[:3]:
        console.print(f"[yellow]skipped: {escape(message)}[/yellow]", soft_wrap=True)
    if len(unreadable) > 3:
        console.print(f"[yellow]... and {len(unreadable) - 3} more unreadable frames[/yellow]")
