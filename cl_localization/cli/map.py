"""`map`: builds a map file from posed sequences."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import require_writable
from cl_localization.cli.progress import tracked
from cl_localization.cli.tables import print_rows, source_rows, warn_unreadable
from cl_localization.config import MapperConfig
from cl_localization.errors import ConfigError

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence
    from cl_localization.evaluation.run import MappingCount
    from cl_localization.mapper import Mapper

SEQUENCE_HELP = (
    "Sequence: a folder or file in one of the layouts of --format, or sim:SEED. PATH?key=value sets options of its "
    "reader (?camera=FILE, ?depth=false, ?depth_unit_m=0.001), PATH@FILE and PATH[start:stop:step] select frames."
)
FORMAT_HELP = (
    "Format of the sequence: transforms, colmap, 12scenes, 7scenes, scannet, ace, euroc, kitti, tum, record3d, "
    "polycam, bag, video, images or sim; auto detects it."
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Build a map from posed sequences, or extend one.

    Example: cl_localization map 'sim:7?frames=200' --out house.map
    """

    sequences: tuple[str, ...] = argument(
        SEQUENCE_HELP + " Several are mapped in order.", metavar="SEQ [SEQ ...]", positional=True
    )
    out: Path = argument("Map file to write; an existing one is replaced atomically.", metavar="MAP")
    update: Path | None = argument("Map file to extend; it is only read.", None, metavar="MAP")
    no_depth: bool = argument("Ignore depth, and triangulate.", False)
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    options: MapperConfig = settings(MapperConfig)


def run(arguments: Arguments) -> int:
    """Map the sequences, write the map and print a summary; return the exit code."""
    if not arguments.sequences:
        raise ConfigError("map", "needs at least one sequence", remedy="see `cl_localization map --help`")
    require_writable(arguments.out)

    from cl_localization.cli.frames import require_codes, require_poses
    from cl_localization.data import open_sequence
    from cl_localization.map.map_file import save_map

    sequences = [open_sequence(spec, arguments.format) for spec in arguments.sequences]
    for sequence in sequences:
        require_poses(sequence)
    mapper = open_mapper(arguments)
    start = time.perf_counter()
    rows = [map_sequence(mapper, sequence, not arguments.no_depth) for sequence in sequences]
    require_codes(len(mapper.map_code), sum(count.keyframes for count in rows), sequences, not arguments.no_depth)
    save_map(mapper.map_code, arguments.out, file_metadata(arguments, rows))
    seconds = time.perf_counter() - start
    made = summary_rows(rows, mapper, arguments.out.stat().st_size, seconds)
    print_rows(f"map {arguments.out}", [*made, *source_rows(sequences)])
    return 0


def open_mapper(arguments: Arguments) -> Mapper:
    """Return a mapper with an empty map, or with the one to extend."""
    from cl_localization.map.map_file import load_map
    from cl_localization.mapper import Mapper

    options = arguments.options
    base = load_map(arguments.update, options.encoder.name, options.map_code).fork() if arguments.update else None
    return Mapper(options, map_code=base)


def file_metadata(arguments: Arguments, counts: list[MappingCount]) -> dict[str, Any]:
    """Return the metadata of a map: sequences (also those of the extended map), camera, options, commit."""
    from cl_localization.evaluation.provenance import provenance
    from cl_localization.map.map_file import read_map_info

    earlier = read_map_info(arguments.update).get("extra", {}).get("sequences", []) if arguments.update else []
    camera = counts[-1].camera
    return {"sequences": [*earlier, *arguments.sequences], "depth": not arguments.no_depth,
            "camera": {} if camera is None else asdict(camera), "config": asdict(arguments.options),
            "commit": provenance()["commit"]}


def map_sequence(mapper: Mapper, sequence: Sequence, use_depth: bool) -> MappingCount:
    """Map all frames of a sequence that have a pose, showing the progress, and return the counts.

    Raises:
        DataError: no frame could be read.
    """
    from cl_localization.cli.frames import prefetched, require_poses, require_readable
    from cl_localization.evaluation.image_only import image_only
    from cl_localization.evaluation.run import map_frames

    posed = require_poses(sequence)
    unreadable: list[str] = []
    source = sequence if use_depth else image_only(sequence)
    frames = prefetched(source, tracked(posed, len(posed), f"mapping {sequence.name}"), unreadable)
    count = map_frames(mapper, frames, use_depth)
    require_readable(count.frames, unreadable, sequence.name)
    warn_unreadable(unreadable, sequence.skipped)
    count.without_pose += len(sequence) - len(posed)
    count.skipped = len(unreadable) + len(sequence.skipped)
    return count


def summary_rows(
    counts: list[MappingCount], mapper: Mapper, file_bytes: int, seconds: float
) -> list[tuple[str, str, str]]:
    """Return the summary as (metric, value, unit)."""
    frames = sum(count.frames for count in counts)
    return [("frames", f"{frames:,}", ""),
            ("frames without pose", f"{sum(count.without_pose for count in counts):,}", ""),
            ("frames skipped", f"{sum(count.skipped for count in counts):,}", ""),
            ("new keyframes", f"{sum(count.keyframes for count in counts):,}", ""),
            ("codes", f"{len(mapper.map_code):,}", ""),
            ("map", f"{mapper.map_code.size_bytes:,}", "bytes"),
            ("file", f"{file_bytes:,}", "bytes"),
            ("time", f"{seconds:.1f}", "s"),
            ("rate", f"{frames / max(seconds, 1e-9):.1f}", "frames/s")]
