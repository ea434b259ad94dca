"""`map`: builds a map file from sequences, with poses that are given or that the map finds itself."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.interrupts import EXIT_INTERRUPTED, noted_interrupt
from cl_localization.cli.pose_sources import Poses, SequenceMapping, pose_source
from cl_localization.cli.tables import health_rows, print_rows, source_rows, warn
from cl_localization.config import MapperConfig
from cl_localization.errors import ConfigError
from cl_localization.mapping.learned.options import CODES_HELP, LearnedCodesConfig
from cl_localization.mapping.slam.options import SlamConfig

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence
    from cl_localization.evaluation.run import MappingCount
    from cl_localization.mapper import Mapper

SEQUENCE_HELP = (
    "Sequence: a folder or file in one of the layouts of --format, or sim:SEED. PATH?key=value sets options of its "
    "reader (?camera=FILE, ?depth=false, ?depth_unit_m=0.001), PATH@FILE and PATH[start:stop:step] select frames."
)
FORMAT_HELP = (
    "Format of the sequence: transforms, colmap, 12scenes, 7scenes, scannet, ace, euroc, kitti, openloris, tum, "
    "record3d, polycam, bag, video, images or sim; auto detects it."
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Build a map from sequences, or extend one.

    Poses are those of the sequence; if it has none, the map finds them itself. The exit code is 1 if fewer than half of
    the frames got a pose. Ctrl-C writes the map of the frames so far; a second one ends at once.

    Example: cl_localization map 'sim:7?frames=200' --out house.map

    Example: cl_localization map 'sim:7' --poses self --trajectory poses.txt --out house.map
    """

    sequences: tuple[str, ...] = argument(
        SEQUENCE_HELP + " Several are mapped in order.", metavar="SEQ [SEQ ...]", positional=True
    )
    out: Path = argument("Map file to write; an existing one is replaced atomically.", metavar="MAP", writes="map")
    update: Path | None = argument("Map file to extend; it is only read.", None, metavar="MAP")
    poses: Poses = argument("Source of the poses: given (by the sequence), self (found by the map), "
                            "odometry (used as it is), or auto: given, or self if the sequence has none.", "auto")
    trajectory: Path | None = argument("File to write the final poses of the frames to (TUM format). The origin is "
                                       "that of the extended map, or else the first frame.", None, metavar="POSES",
                                       writes="file")
    no_depth: bool = argument("Ignore depth, and triangulate.", False)
    codes: Literal["grown", "learned"] = argument(CODES_HELP, "grown")
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    options: MapperConfig = settings(MapperConfig)
    learned: LearnedCodesConfig = settings(LearnedCodesConfig, "learned")
    slam: SlamConfig = settings(SlamConfig, "slam")


def run(arguments: Arguments) -> int:
    """Map the sequences, write the map and print a summary; return the exit code, 130 after Ctrl-C."""
    if not arguments.sequences:
        raise ConfigError("map", "needs at least one sequence", remedy="see `cl_localization map --help`")
    with noted_interrupt() as stop:
        return map_until(stop, arguments)


def map_until(stop: threading.Event, arguments: Arguments) -> int:
    """Map the sequences up to where `stop` is set; write the map, print a summary and return the exit code."""
    from cl_localization.cli.frames import open_given, require_codes, require_poses
    from cl_localization.data.trajectory import write_trajectory
    from cl_localization.map.map_file import save_map

    order = "map SEQ --out MAP; --update MAP extends a map"
    sequences = [open_given(spec, arguments.format, order) for spec in arguments.sequences]
    sources = [pose_source(sequence, arguments.poses) for sequence in sequences]
    for sequence, source in zip(sequences, sources):
        if source == "given":
            require_poses(sequence)
    mapping = SequenceMapping(open_mapper(arguments), arguments.slam, not arguments.no_depth)
    start = time.perf_counter()
    rows = [mapping.add(sequence, source, stop) for sequence, source in zip(sequences, sources) if not stop.is_set()]
    map_code, use_depth = mapping.mapper.made, not arguments.no_depth
    if stop.is_set() and (len(map_code) == 0 or not any(count.frames for count in rows)):
        warn("interrupted before anything was mapped; nothing was written")
        return EXIT_INTERRUPTED
    require_codes(len(map_code), sum(count.keyframes for count in rows), sequences, use_depth)
    health = mapping.mapper.examine()
    save_map(map_code, arguments.out, file_metadata(arguments, rows))
    if arguments.trajectory is not None:
        write_trajectory(arguments.trajectory, mapping.poses(), "world_T_cam")
    seconds = time.perf_counter() - start
    made = summary_rows(rows, mapping.mapper, arguments.out.stat().st_size, seconds)
    print_rows(f"map {arguments.out}", [*made, *source_rows(sequences), *health_rows(health)])
    for warning in health.warnings:
        warn(f"map {arguments.out}: {warning}")
    if arguments.trajectory is not None and mapping.frames_apart:
        warn(f"trajectory {arguments.trajectory} lacks {mapping.frames_apart:,} frames that got a pose: in parts of "
             "the map not joined to that of the first frame, or at keyframes that went for the budget")
    frames = sum(count.frames for count in rows)
    if stop.is_set():
        warn(f"interrupted: map {arguments.out} holds the {frames:,} frames mapped until then")
        return EXIT_INTERRUPTED
    return int(frames < sum(count.without_pose for count, source in zip(rows, sources) if source == "self"))


def open_mapper(arguments: Arguments) -> Mapper:
    """Return a mapper with an empty map, or with the one to extend."""
    from cl_localization.map.map_file import load_map
    from cl_localization.mapper import Mapper

    options = arguments.options
    base = load_map(arguments.update, options.encoder.name, options.map_code).fork() if arguments.update else None
    return Mapper(options, map_code=base, learned=arguments.learned if arguments.codes == "learned" else None)


def file_metadata(arguments: Arguments, counts: list[MappingCount]) -> dict[str, Any]:
    """Return the metadata of a map: sequences (also those of the extended map), camera, options, commit."""
    from cl_localization.evaluation.provenance import provenance
    from cl_localization.map.map_file import read_map_info

    earlier = read_map_info(arguments.update).get("extra", {}).get("sequences", []) if arguments.update else []
    camera = counts[-1].camera
    return {"sequences": [*earlier, *arguments.sequences[:len(counts)]],
            "depth": not arguments.no_depth, "codes": arguments.codes,
            "camera": {} if camera is None else asdict(camera), "config": asdict(arguments.options),
            "commit": provenance()["commit"]}


def map_sequence(mapper: Mapper, sequence: Sequence, use_depth: bool) -> MappingCount:
    """Map all frames of a sequence that have a pose, showing the progress, and return the counts.

    Raises:
        DataError: no frame could be read.
    """
    return SequenceMapping(mapper, SlamConfig(), use_depth).add(sequence, "given")


def summary_rows(
    counts: list[MappingCount], mapper: Mapper, file_bytes: int, seconds: float
) -> list[tuple[str, str, str]]:
    """Return the summary as (metric, value, unit)."""
    frames = sum(count.frames for count in counts)
    return [("frames", f"{frames:,}", ""),
            ("frames without pose", f"{sum(count.without_pose for count in counts):,}", ""),
            ("frames skipped", f"{sum(count.skipped for count in counts):,}", ""),
            ("new keyframes", f"{sum(count.keyframes for count in counts):,}", ""),
            ("codes", f"{len(mapper.made):,}", "" if mapper.made is mapper.map_code else "learned"),
            ("map", f"{mapper.made.size_bytes:,}", "bytes"),
            ("file", f"{file_bytes:,}", "bytes"),
            ("time", f"{seconds:.1f}", "s"),
            ("rate", f"{frames / max(seconds, 1e-9):.1f}", "frames/s")]
