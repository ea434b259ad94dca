"""`bag`: converts a sequence to rosbag2, and a bag to a 7-Scenes folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cl_localization.cli.flags import argument
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.progress import shown_progress
from cl_localization.cli.tables import output_console, print_rows, warn_unreadable

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Convert a sequence to a rosbag2 for `ros2 bag play`, or a bag to a 7-Scenes folder.

    Examples: cl_localization bag sim:7 --out house_bag
              cl_localization bag house_bag --out house_frames
    """

    sequence: str = argument(SEQUENCE_HELP, metavar="SEQ", positional=True)
    out: Path = argument("Folder to write.", metavar="FOLDER", writes="folder")
    to: Literal["auto", "bag", "7scenes"] = argument(
        "Output; auto: a 7-Scenes folder from a bag, a bag from everything else.", "auto"
    )
    storage: Literal["mcap", "sqlite3"] = argument("File format of the bag.", "mcap")
    compressed: bool = argument("Write JPEG images into the bag: a tenth of the size, but lossy.", False)
    map_tf: bool = argument("Also write the true map -> odom to the bag's tf; a localizer must not run then.", False)
    force: bool = argument("Replace an earlier result; a folder with anything else in it is refused.", False)
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")


def run(arguments: Arguments) -> int:
    """Convert the sequence; return the exit code."""
    from cl_localization.data import open_sequence

    sequence = open_sequence(arguments.sequence, arguments.format)
    if target(arguments) == "bag":
        write_bag_of(sequence, arguments)
    else:
        write_folder_of(sequence, arguments)
    warn_unreadable([], sequence.skipped)
    return 0


def target(arguments: Arguments) -> str:
    """Return the output format, "bag" or "7scenes"."""
    if arguments.to != "auto":
        return arguments.to
    from cl_localization.data.bag_reader import is_bag
    from cl_localization.data.spec import parse_spec

    path = Path(parse_spec(arguments.sequence).source)
    return "7scenes" if arguments.format == "bag" or is_bag(path) else "bag"


def write_bag_of(sequence: Sequence, arguments: Arguments) -> None:
    """Write a sequence as a bag and print its topics."""
    from cl_localization.data.bag_writer import write_bag

    with shown_progress(f"writing {arguments.out}") as tell:
        counts = write_bag(sequence, arguments.out, arguments.storage, arguments.compressed, arguments.map_tf,
                           force=arguments.force, progress=tell)
    print_rows(
        f"bag {arguments.out}",
        [(topic, f"{count:,}") for topic, count in sorted(counts.items())],
        ("topic", "messages"),
    )


def write_folder_of(sequence: Sequence, arguments: Arguments) -> None:
    """Write a sequence as a 7-Scenes folder."""
    from cl_localization.data.export import export_7scenes

    with shown_progress(f"writing {arguments.out}") as tell:
        frames = export_7scenes(sequence, arguments.out, arguments.force, tell)
    output_console().print(f"{frames} frames in {arguments.out}")
