"""`localize`: writes the trajectory of a sequence in a map."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.outputs import write_text
from cl_localization.cli.tables import print_rows, source_rows, warn
from cl_localization.config import LocalizerConfig

if TYPE_CHECKING:
    from cl_localization.evaluation.records import FrameRecord

STATUS_COLUMNS = ("name", "stamp_ns", "accepted", "reason", "inliers", "latency_ms", "scene")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Localize every frame of a sequence in a map, each without a prior pose, and write the accepted poses.

    That no frame was localized is a result, too: a warning says why, and the exit code is 0.

    Example: cl_localization localize house.map 'sim:7?path=tracking' --out poses.txt
    """

    map: Path = argument("Map file.", metavar="MAP", positional=True)
    sequence: str = argument(SEQUENCE_HELP, metavar="SEQ", positional=True)
    out: Path = argument("Trajectory to write, TUM format: stamp_s x y z qx qy qz qw per line, world_T_cam in metres.",
                         metavar="POSES", writes="file")
    status: Path | None = argument("CSV file to write: a line per frame, with rejected ones. The latency of the first "
                                   "includes the start of the encoder.", None, metavar="CSV", writes="file")
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    options: LocalizerConfig = settings(LocalizerConfig)


def run(arguments: Arguments) -> int:
    """Localize the sequence, write its trajectory and print the counts; return the exit code."""
    from cl_localization.cli.frames import open_given
    from cl_localization.cli.localizing import open_localizer, try_sequence, why_none
    from cl_localization.data.trajectory import write_trajectory
    from cl_localization.mapping.audit.health import noted_health

    sequence = open_given(arguments.sequence, arguments.format, "localize MAP SEQ")
    localizer, map_code = open_localizer(arguments.map, arguments.options)
    trial = try_sequence(localizer, sequence, f"localizing {sequence.name}")
    accepted = [record for record in trial.records if record.accepted]
    poses = [(record.stamp_ns, record.world_T_cam) for record in accepted if record.world_T_cam is not None]
    write_trajectory(arguments.out, poses, "world_T_cam")
    if arguments.status is not None:
        write_text(arguments.status, status_table(trial.records))
    rows = [("frames", str(len(trial.records)), ""), ("localized", str(len(accepted)), ""),
            *part_rows(accepted, noted_health(map_code).unjoined_parts), ("frames skipped", str(trial.skipped), ""),
            *source_rows([sequence])]
    print_rows(f"trajectory {arguments.out}", rows)
    if not accepted:
        warn(why_none(trial.records))
    if localizer.calibration.problem:
        warn(localizer.calibration.problem)
    return 0


def part_rows(accepted: list[FrameRecord], parts: dict[str, int]) -> list[tuple[str, str, str]]:
    """Return how many frames were localized in each scene, where a map has parts that are not joined."""
    scenes = Counter(record.scene for record in accepted if parts)
    return [(f"localized in {scene}", str(count), "") for scene, count in sorted(scenes.items())]


def status_table(records: Iterable[FrameRecord]) -> str:
    """Return the records as CSV text with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(STATUS_COLUMNS)
    for record in records:
        writer.writerow([record.name, record.stamp_ns, int(record.accepted), record.reason, record.inliers,
                         f"{1e3 * record.latency_s:.2f}", record.scene])
    return stream.getvalue()
