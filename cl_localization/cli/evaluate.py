"""`evaluate`: localizes a sequence in a map and compares the poses with ground truth."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.map import FORMAT_HELP, SEQUENCE_HELP
from cl_localization.cli.outputs import write_json, write_text
from cl_localization.cli.tables import print_rows, source_rows, warn
from cl_localization.config import LocalizerConfig

if TYPE_CHECKING:
    from cl_localization.data.frame import Sequence


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Localize every frame of a sequence in a map, each without a prior pose, and compare the poses with ground truth.

    Percentages are of all frames with ground truth; a rejected frame is within no bound. Medians are over the localized
    frames. Latency is from the image file to the pose. For sequences that are not in metres, see the error in percent
    of the cameras' extent.

    Example: cl_localization evaluate house.map 'sim:7?path=tracking' --perturb gamma=0.4 --html report.html
    """

    map: Path = argument("Map file.", metavar="MAP", positional=True)
    sequence: str = argument(SEQUENCE_HELP, metavar="SEQ", positional=True)
    json: Path | None = argument(
        "JSON file to write: the table, the options, and a record per frame.", None, metavar="FILE",
        writes="file"
    )
    html: Path | None = argument(
        "HTML page to write: tables, trajectory, errors, the worst images with their matches.", None, metavar="FILE",
        writes="file"
    )
    perturb: tuple[str, ...] = argument(
        "Perturb the images: gamma=0.4, gain=0.5, blur_px=9, occlusion=0.4, noise=20.",
        (),
        metavar="KIND=VALUE [KIND=VALUE ...]",
    )
    format: str = argument(FORMAT_HELP, "auto", metavar="FORMAT")
    options: LocalizerConfig = settings(LocalizerConfig)


def run(arguments: Arguments) -> int:
    """Evaluate the sequence, print the table and write the JSON file; return the exit code."""
    from cl_localization.cli.frames import open_given, require_poses
    from cl_localization.cli.localizing import open_localizer, try_sequence, why_none
    from cl_localization.evaluation.summary import summarize

    sequence = open_given(arguments.sequence, arguments.format, "evaluate MAP SEQ")
    require_poses(sequence)
    queries = perturbed_by(sequence, arguments.perturb)
    localizer, map_code = open_localizer(arguments.map, arguments.options)
    trial = try_sequence(localizer, queries, f"evaluating {sequence.name}")
    summary = summarize(trial.records, map_code.size_bytes, len(map_code), trial.skipped)
    title, rows = f"{sequence.name} in {arguments.map}", [*summary.rows(), *source_rows([sequence])]
    print_rows(title, rows)
    if not summary.localized:
        warn(why_none(trial.records))
    if localizer.calibration.problem:
        warn(localizer.calibration.problem)
    details = run_details(arguments)
    if arguments.html is not None:
        from cl_localization.cli.evaluation_page import evaluation_page

        page = evaluation_page(title, rows, trial.records, queries, details, localizer, map_code)
        write_text(arguments.html, page)
    if arguments.json is not None:
        write_json(
            arguments.json,
            {**summary.to_json(), **details, "per_frame": [record.to_json() for record in trial.records]},
        )
    return 0


def perturbed_by(sequence: Sequence, perturbations: tuple[str, ...]) -> Sequence:
    """Return the sequence with perturbed images; unchanged without perturbations."""
    if not perturbations:
        return sequence
    from cl_localization.data.perturb import perturbed
    from cl_localization.evaluation.run import image_only

    return perturbed(image_only(sequence), perturbations)


def run_details(arguments: Arguments) -> dict[str, Any]:
    """Return the details needed to reproduce the result."""
    from cl_localization.evaluation.provenance import provenance

    return {"map": str(arguments.map), "sequence": arguments.sequence, "perturb": list(arguments.perturb),
            "seed": arguments.options.pose.seed, "config": asdict(arguments.options), **provenance()}
