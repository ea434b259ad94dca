"""`bench`: the README's benchmark tables, made again on this machine."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import require_folder, write_json, write_text
from cl_localization.cli.tables import markdown, output_console, print_rows
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.errors import DataError

if TYPE_CHECKING:
    from cl_localization.cli.bench_runs import Outcome

DATA_VARIABLE = "CL_LOCALIZATION_DATA"
KITCHEN = "redkitchen/seq-01"
HEADERS = ("experiment", "mapped", "queries", "5 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]", "median [deg]",
           "wrong", "latency p50 [ms]", "p95 [ms]", "codes", "map file [MB]", "mapping [s]")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Make the README's benchmark tables again on this machine: bench.json and bench.md in the output folder.

    kitchen: RedKitchen of 7-Scenes, near and far queries, with and without depth, then all frames mapped.
    wrong: images of other places tried against that map; a pose accepted for one of them is wrong.
    sim: the simulated house. photos: a set of your own.

    Example: cl_localization bench --tables sim --out out/bench
    """

    tables: tuple[Literal["kitchen", "wrong", "sim", "photos"], ...] = argument(
        "Which tables; without it all whose data is there.", ())
    data: Path | None = argument(
        f"Folder that holds {KITCHEN}; without it the environment variable {DATA_VARIABLE} says where.",
        None,
        metavar="FOLDER",
    )
    photos: str = argument(
        "A posed sequence of which every fifth frame is a query, mapped without depth.", "", metavar="SEQ"
    )
    tries: int = argument("Images of other places that are tried.", 500)
    frames: int = argument("Frames of the simulated house that are mapped; a third as many are queries.", 200)
    seed: int = argument("Seed of the simulated house.", 7)
    out: Path = argument("Folder for bench.json and bench.md.", Path("out/bench"), metavar="FOLDER")
    mapper: MapperConfig = settings(MapperConfig, "mapper")
    localizer: LocalizerConfig = settings(LocalizerConfig, "localizer")


def run(arguments: Arguments) -> int:
    """Run the benchmarks, print and write their tables; return the exit code."""
    require_folder(arguments.out)
    tables = chosen_tables(arguments)
    outcomes, tried = run_tables(arguments, tables)
    from cl_localization.evaluation.provenance import provenance

    machine = provenance()
    rows = [outcome_row(outcome) for outcome in outcomes]
    print_rows("benchmark", rows, HEADERS)
    text = f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit'] or 'unknown'}\n\n" + markdown(
        HEADERS, rows
    )
    if tried is not None:
        sentence = (
            f"Images of other places against the whole kitchen map: {tried[1]} poses accepted of {tried[0]} tried."
        )
        output_console().print(sentence)
        text += f"\n{sentence}\n"
    write_text(arguments.out / "bench.md", text)
    results = {"experiments": [outcome.to_json() for outcome in outcomes], "machine": machine,
               "other_places": None if tried is None else {"tried": tried[0], "accepted": tried[1]},
               "mapper": asdict(arguments.mapper), "localizer": asdict(arguments.localizer)}
    write_json(arguments.out / "bench.json", results)
    return 0


def run_tables(arguments: Arguments, tables: tuple[str, ...]) -> tuple[list[Outcome], tuple[int, int] | None]:
    """Run the chosen tables; return their outcomes, and (tried, accepted) of images of other places or None."""
    from cl_localization.cli.bench_runs import Bench, kitchen_experiments, photo_experiment, sim_experiment

    bench, tried = Bench(arguments.mapper, arguments.localizer), None
    if {"kitchen", "wrong"} & set(tables):
        kitchen = str(kitchen_folder(arguments))
        for experiment in kitchen_experiments(kitchen, with_queries="kitchen" in tables):
            bench.run(experiment)
    if "wrong" in tables:
        tried = bench.other_places(arguments.tries)
    if "sim" in tables:
        bench.run(sim_experiment(arguments.seed, arguments.frames))
    if "photos" in tables:
        bench.run(photo_experiment(arguments.photos))
    return bench.outcomes, tried


def chosen_tables(arguments: Arguments) -> tuple[str, ...]:
    """Return the tables to make: those asked for, else all whose data is there.

    Raises:
        DataError: a table was asked for whose data is not there.
    """
    if arguments.tables:
        if {"kitchen", "wrong"} & set(arguments.tables):
            kitchen_folder(arguments)
        if "photos" in arguments.tables and not arguments.photos:
            raise DataError("table photos", "needs a sequence", remedy="give it with --photos SEQ")
        return arguments.tables
    has_kitchen = arguments.data is not None or DATA_VARIABLE in os.environ
    if has_kitchen:
        kitchen_folder(arguments)
    return (("kitchen", "wrong") if has_kitchen else ()) + ("sim",) + (("photos",) if arguments.photos else ())


def kitchen_folder(arguments: Arguments) -> Path:
    """Return the folder of the RedKitchen sequence.

    Raises:
        DataError: it is not there.
    """
    root = arguments.data or Path(os.environ.get(DATA_VARIABLE, ""))
    folder = root / KITCHEN
    if not folder.is_dir():
        raise DataError(f"benchmark data {folder}", "is missing",
                        remedy=f"give --data FOLDER or set {DATA_VARIABLE}, or choose --tables sim")
    return folder


def outcome_row(outcome: Outcome) -> tuple[str, ...]:
    """Return one row of the table, in the order of `HEADERS`."""
    head, tail = (outcome.name, str(outcome.mapped)), (f"{outcome.codes:,}", f"{outcome.file_bytes / 1e6:.2f}",
                                                       f"{outcome.mapping_s:.1f}")
    summary = outcome.summary
    if summary is None:
        return (*head, *("-",) * 8, *tail)
    medians = [f"{value:.2f}" if value is not None else "-"
               for value in (summary.median_translation_cm, summary.median_rotation_deg)]
    return (
        *head,
        str(summary.frames),
        f"{summary.within_5cm_5deg_percent:.1f}",
        f"{summary.within_20cm_10deg_percent:.1f}",
        *medians,
        str(summary.wrong_accepted),
        f"{summary.latency_ms_p50:.0f}",
        f"{summary.latency_ms_p95:.0f}",
        *tail,
    )
