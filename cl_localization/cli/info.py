"""`info`: shows the contents of a map."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.flags import argument
from cl_localization.cli.tables import health_rows, output_console, print_rows, warn

if TYPE_CHECKING:
    from cl_localization.evaluation.map_contents import MapContents


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show the contents of a map: metadata, counts, and size and extent of each scene."""

    map: Path = argument("Map file.", metavar="MAP", positional=True)
    json: bool = argument("Print JSON instead of tables.", False)


def run(arguments: Arguments) -> int:
    """Print the contents; return the exit code."""
    from cl_localization.evaluation.map_contents import map_contents
    from cl_localization.map.map_file import load_map, read_map_info
    from cl_localization.mapping.audit.health import noted_health

    metadata = read_map_info(arguments.map)
    map_code = load_map(arguments.map)
    contents, health = map_contents(map_code), noted_health(map_code)
    file_bytes = arguments.map.stat().st_size
    if arguments.json:
        everything = {"file_bytes": file_bytes, **asdict(contents), "health": health.to_json(), "metadata": metadata}
        output_console().print(json.dumps(everything, indent=1, default=str), markup=False, soft_wrap=True)
        return 0
    print_rows(f"map {arguments.map}", [*map_rows(contents, file_bytes), *health_rows(health)])
    for warning in health.warnings:
        warn(f"map {arguments.map}: {warning}")
    print_rows(
        "scenes", scene_rows(contents), ("scene", "codes", "keyframes", "bytes", "from [m]", "to [m]", "sigma [cm]")
    )
    print_rows("metadata", metadata_rows(metadata), ("key", "content"))
    return 0


def map_rows(contents: MapContents, file_bytes: int) -> list[tuple[str, str, str]]:
    """Return the totals of the map as (metric, value, unit)."""
    return [("codes", f"{contents.codes:,}", ""), ("keyframes", f"{contents.keyframes:,}", ""),
            ("memory", f"{contents.size_bytes:,}", "bytes"), ("file", f"{file_bytes:,}", "bytes"),
            ("cell size", f"{contents.cell_size_m:g}", "m"), ("encoder", f"{contents.encoder}, {contents.dim}-D", ""),
            ("frame", contents.frame_id, ""), ("id", contents.map_id, ""), ("version", str(contents.version), "")]


def scene_rows(contents: MapContents) -> list[tuple[str, ...]]:
    """Return one table row per scene."""
    return [(scene.name, f"{scene.codes:,}", f"{scene.keyframes:,}", f"{scene.size_bytes:,}", _corner(scene.low_m),
             _corner(scene.high_m), "-" if scene.mean_sigma_m is None else f"{100 * scene.mean_sigma_m:.2f}")
            for scene in contents.scenes]


def metadata_rows(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the file's metadata as (key, text); nested values become JSON on one line."""
    return [
        (key, value if isinstance(value, str) else json.dumps(value, default=str)) for key, value in metadata.items()
    ]


def _corner(point_m: tuple[float, ...] | None) -> str:
    """Return the text of a corner of a bounding box."""
    return "-" if point_m is None else " ".join(f"{value:.2f}" for value in point_m)
