"""Tables on stdout: metric, value, unit; also the rows that several commands show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode
    from cl_localization.mapping.audit.health import MapHealth

WIDE_COLUMNS = 200


def output_console() -> Console:
    """Return a console on stdout; if it is no terminal, it is so wide that no cell is cut."""
    console = Console(highlight=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, width=WIDE_COLUMNS)


def error_console() -> Console:
    """Return a console on the current stderr."""
    return Console(stderr=True, highlight=False, emoji=False)


def warn(sentence: str) -> None:
    """Print a warning to stderr."""
    error_console().print(f"[yellow]{escape(sentence)}[/yellow]", soft_wrap=True)


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
    if skipped:
        names = ", ".join(skipped[:3]) + (", ..." if len(skipped) > 3 else "")
        warn(f"{len(skipped)} listed frames are missing or unusable: {names}")
    for message in unreadable[:3]:
        warn(f"skipped: {message}")
    if len(unreadable) > 3:
        warn(f"... and {len(unreadable) - 3} more unreadable frames")


def warn_of_parts(name: object, map_code: MapCode) -> None:
    """Print on stderr that a map is in parts whose coordinates have nothing to do with each other, if it is."""
    from cl_localization.mapping.audit.health import noted_health, part_warnings

    for warning in part_warnings(noted_health(map_code).unjoined_parts):
        warn(f"map {name}: {warning}")


def health_rows(health: MapHealth) -> list[tuple[str, str, str]]:
    """Return what is known of a map's health as (metric, value, unit); what is not known is left out."""
    from cl_localization.mapping.audit.health import MAX_POSE_INNOVATION_FACTOR

    figures = [("codes seen once", health.codes_seen_once_percent, ".1f", "%"),
               ("pose innovation factor", health.pose_innovation_factor, ".1f",
                f"of {MAX_POSE_INNOVATION_FACTOR:g} allowed"),
               ("keyframes moved", health.keyframes_moved_m, ".3g", "m"),
               ("matches that fit the poses", health.matches_agree_percent, ".1f", "%"),
               ("matches of places seen again", health.places_again_agree_percent, ".1f", "%"),
               ("epipolar error", health.epipolar_error_px, ".2f", "px"),
               ("depth over triangulated", health.depth_over_triangulated, ".3f", "")]
    known = [(name, format(value, spec), unit) for name, value, spec, unit in figures if value is not None]
    scale = [("scale", f"unknown in {name}", "") for name in health.scenes_without_scale]
    return [("warnings", str(len(health.warnings)), ""), *scale, *known]
