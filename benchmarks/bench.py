"""`bench`: measures the tables of docs/benchmarks.md and of the pages it links to."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.options import (
    ContinualBenchConfig,
    NerfBenchConfig,
    PoseCheckBenchConfig,
    RegressorBenchConfig,
    SlamBenchConfig,
)
from benchmarks.table import BenchTable
from cl_localization.cli.flags import argument, settings
from cl_localization.cli.outputs import write_json, write_text
from cl_localization.config import LocalizerConfig, MapperConfig, TrackerConfig
from cl_localization.errors import DataError

if TYPE_CHECKING:
    from benchmarks.runs import Bench, Outcome

DATA_VARIABLE = "CL_LOCALIZATION_DATA"
KITCHEN, NORDLAND, LEGO = "redkitchen/seq-01", "nordland", "lego"
HEADERS = ("experiment", "mapped", "queries", "5 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]", "median [deg]",
           "wrong", "latency p50 [ms]", "p95 [ms]", "codes", "map file [MB]", "mapping [s]")


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Measure the tables of docs/benchmarks.md on this machine; writes bench.json and bench.md to the output folder.

    kitchen: RedKitchen of 7-Scenes: near and far queries, with and without depth, and with all frames mapped.
    wrong: images of other places in the map of all frames; every accepted pose is wrong.
    sim: the simulated house. photos: a sequence of your own.
    body: the robot's own body in the lower part of every image, mapped with it, then parked in other buildings.

    furniture: rooms are mapped, then all of their furniture is moved.

    kidnap: a kidnapped robot in a simulated house of six rooms must be relocalized within a second.
    scenes: RedKitchen (if available) and eight simulated rooms in one map: is the right room found, and at what cost?
    covariance: share of errors inside the 95 % ellipsoids, on RedKitchen (if available) and in simulated houses.
    load: the localizer node alone, beside a mapper process, and in one process with a mapper.
    soak: mapper and localizer at full rate for minutes with a small budget: does memory or latency grow?
    places: place recognition on Nordland: recall beside and far from training, other speeds, query time.

    continual: forgetting of the map code and of a small HSCNet with replay buffers, on rooms learned in order.

    regressors: nearest code, attention, and nearest code with the attention fallback, on increasingly hard queries.

    nerf: radiance fields in two tasks, and on streams: the synthetic scene lego, and RedKitchen (if available).

    pose_check: the pose check by rendering.

    slam: mapping with own poses, RedKitchen where it is and simulated houses: how far they are from the truth.

    outdoors: mapping without depth from exact poses, kitti_1 and terrace, beside a plain recipe on the same features.

    peers: the queries of RedKitchen by ours, hloc's recipe, LighterGlue, and ORB-SLAM3 where it is installed.

    faults: mistakes with poses, cameras and depth: does the map warn, and do right maps not?

    focal: images localized with a wrong focal length, and with the right one: are their poses refused?

    speed: images at their full rate: the accuracy of flow between full localizations, and poses on tf a second.

    Tables may be named first. Example: cl_localization bench sim --out out/bench
    """

    tables: tuple[Literal["kitchen", "wrong", "sim", "photos", "kidnap", "scenes", "places", "covariance", "load",
                          "soak",
                          "continual", "regressors", "nerf", "pose_check", "slam", "outdoors",
                          "speed", "peers", "faults", "focal", "body", "furniture"], ...] = argument(
        "Tables to measure; default: kitchen, wrong, sim and photos, if their data is available.", ())
    data: Path | None = argument(
        f"Folder with {KITCHEN} and {NORDLAND}; default: the environment variable {DATA_VARIABLE}.", None,
        metavar="FOLDER")
    photos: str = argument("Posed sequence to map without depth; every fifth frame is a query.", "", metavar="SEQ")
    tries: int = argument("Number of images of other places.", 500)
    frames: int = argument("Mapped frames of the simulated house; there are a third as many queries.", 200)
    kidnappings: int = argument("Number of kidnappings.", 100)
    parked: int = argument("Places in other buildings where the robot of the table body is parked.", 200)
    seconds: float = argument("Duration of each run of the tables load and speed [s].", 20.0)
    minutes: float = argument("Duration of the soak after the map is full [min].", 5.0)
    place_seeds: int = argument("Seeds of the trainings of place recognition far from what is tested, five each; 0 "
                                "omits the table.", 1)
    peers_every: int = argument("One query in so many is asked for in the table peers.", 1)
    seed: int = argument("Seed of the simulated house.", 7)
    out: Path = argument("Folder for bench.json, bench.md and figures.", Path("out/bench"), metavar="FOLDER",
                         writes="files")
    json: Path | None = argument("Another file for the contents of bench.json.", None, metavar="FILE", writes="file")
    continual: ContinualBenchConfig = settings(ContinualBenchConfig, "continual")
    regressors: RegressorBenchConfig = settings(RegressorBenchConfig, "regressors")
    nerf: NerfBenchConfig = settings(NerfBenchConfig, "nerf")
    pose_check: PoseCheckBenchConfig = settings(PoseCheckBenchConfig, "pose_check")
    slam: SlamBenchConfig = settings(SlamBenchConfig, "slam")
    mapper: MapperConfig = settings(MapperConfig, "mapper")
    localizer: LocalizerConfig = settings(LocalizerConfig, "localizer")
    tracker: TrackerConfig = settings(TrackerConfig, "tracker")


def understood(words: list[str]) -> list[str]:
    """Return the command line with `--tables` before tables that are named first, as in `bench places --json FILE`."""
    return ["--tables", *words] if words and not words[0].startswith("-") else words


def run(arguments: Arguments) -> int:
    """Run the benchmarks, print and write their tables; return the exit code."""
    from cl_localization.evaluation.provenance import provenance

    tables = made_tables(arguments)
    for table in tables:
        table.show()
    machine = provenance()
    heading = f"{machine['processor']}, {machine['cores']} cores, commit {machine['commit'] or 'unknown'}\n"
    write_text(arguments.out / "bench.md", "\n".join([heading, *(table.markdown() for table in tables)]))
    results: dict[str, Any] = {"machine": machine, "mapper": asdict(arguments.mapper),
                               "localizer": asdict(arguments.localizer),
                               "tracker": asdict(arguments.tracker)}
    for table in tables:
        results |= table.results
    for path in (arguments.out / "bench.json", arguments.json):
        if path is not None:
            write_json(path, results)
    return 0


TABLES: dict[str, tuple[str, str, Callable[[Arguments, Bench], tuple[Any, ...]]]] = {
    "kidnap": ("kidnap", "kidnap_table", lambda given, bench: (bench, given.tracker, given.seed, given.kidnappings)),
    "scenes": ("scenes", "scenes_tables", lambda given, bench: (kitchen(given), given.mapper, given.localizer)),
    "covariance": ("covariance", "covariance_table",
                   lambda given, bench: (bench, kitchen(given), given.seed, given.frames)),
    "regressors": ("regressors", "regressor_tables",
                   lambda given, bench: (bench, kitchen(given), given.seed, given.frames, given.regressors)),
    "speed": ("speed", "speed_tables",
              lambda given, bench: (bench, given.tracker, kitchen(given), given.seed, given.seconds)),
    "peers": ("peers", "peers_table", lambda given, bench: (bench, str(kitchen_folder(given)), given.peers_every)),
    "slam": ("slam", "slam_tables",
             lambda given, bench: (kitchen(given), given.seed, given.slam, given.mapper, given.localizer,
                                   given.out / "slam.png")),
    "outdoors": ("outdoors", "outdoors_table", lambda given, bench: (data_root(given), given.mapper, given.localizer)),
    "faults": ("faults", "fault_table",
               lambda given, bench: (data_root(given) if has_data(given) else None, kitchen(given), given.seed,
                                     given.mapper)),
    "focal": ("focal_lengths", "focal_table",
              lambda given, bench: (data_root(given) if has_data(given) else None, kitchen(given), given.seed,
                                    given.mapper, given.localizer)),
    "body": ("robot_body", "body_table",
             lambda given, bench: (kitchen(given), given.seed, given.parked, given.mapper, given.localizer)),
    "furniture": ("moved_furniture", "furniture_table",
                  lambda given, bench: (given.seed, given.mapper, given.localizer)),
    "places": ("places", "place_tables", lambda given, bench: (data_folder(given, NORDLAND), given.place_seeds)),
    "load": ("nodes", "load_table", lambda given, bench: (given.seed, given.seconds)),
    "soak": ("nodes", "soak_table", lambda given, bench: (given.seed, given.minutes)),
    "continual": ("continual", "continual_tables",
                  lambda given, bench: (given.continual, kitchen(given), given.mapper, given.localizer, given.out)),
    "nerf": ("nerf", "nerf_tables",
             lambda given, bench: (data_folder(given, LEGO), kitchen_if_there(given), given.nerf, given.out)),
    "pose_check": ("pose_check", "check_table",
                   lambda given, bench: (kitchen(given), given.pose_check, given.mapper, given.localizer)),
}
"""Further tables, in their order: module of `benchmarks`, imported when it is asked for; the function that makes one
table or several; and its arguments."""


def made_tables(arguments: Arguments) -> list[BenchTable]:
    """Return the chosen tables; the first, of maps and queries, has a row for every map made for any of them."""
    from benchmarks.runs import Bench

    chosen, bench = chosen_tables(arguments), Bench(arguments.mapper, arguments.localizer)
    tried, tables = run_maps(arguments, chosen, bench), []
    for name, (module, function, given) in TABLES.items():
        if name in chosen:
            made = getattr(importlib.import_module(f"benchmarks.{module}"), function)(*given(arguments, bench))
            tables += made if isinstance(made, list) else [made]
    return [experiments_table(bench.outcomes, tried), *tables]


def run_maps(arguments: Arguments, chosen: tuple[str, ...], bench: Bench) -> tuple[int, int] | None:
    """Run the chosen experiments; return how many images of other places were tried and accepted, if any."""
    from benchmarks.runs import kitchen_experiments, photo_experiment, sim_experiment

    tried = None
    if {"kitchen", "wrong"} & set(chosen):
        for experiment in kitchen_experiments(str(kitchen_folder(arguments)), with_queries="kitchen" in chosen):
            bench.run(experiment)
    if "wrong" in chosen:
        tried = bench.other_places(arguments.tries)
    if "sim" in chosen:
        bench.run(sim_experiment(arguments.seed, arguments.frames))
    if "photos" in chosen:
        bench.run(photo_experiment(arguments.photos))
    return tried


def experiments_table(outcomes: list[Outcome], tried: tuple[int, int] | None) -> BenchTable:
    """Return the table of maps and queries; `tried` has how many images of other places were tried, and how many
    accepted."""
    sentence = "" if tried is None else (
        f"Images of other places against the whole kitchen map: {tried[1]} poses accepted of {tried[0]} tried.")
    other_places = None if tried is None else {"tried": tried[0], "accepted": tried[1]}
    return BenchTable("benchmark", HEADERS, [outcome_row(outcome) for outcome in outcomes], sentence,
                      {"experiments": [asdict(outcome) for outcome in outcomes], "other_places": other_places})


def has_data(arguments: Arguments) -> bool:
    """Return whether the folder of the benchmark data is known."""
    return arguments.data is not None or DATA_VARIABLE in os.environ


def chosen_tables(arguments: Arguments) -> tuple[str, ...]:
    """Return the tables to make: those asked for, else all whose data is there.

    Raises:
        DataError: a table was asked for whose data is not there.
    """
    if arguments.tables:
        if {"kitchen", "wrong"} & set(arguments.tables):
            kitchen_folder(arguments)
        if "places" in arguments.tables:
            data_folder(arguments, NORDLAND)
        if "nerf" in arguments.tables:
            data_folder(arguments, LEGO)
        if "outdoors" in arguments.tables:
            data_folder(arguments, "kitti_1")
        if "photos" in arguments.tables and not arguments.photos:
            raise DataError("table photos", "needs a sequence", remedy="give it with --photos SEQ")
        return arguments.tables
    if has_data(arguments):
        kitchen_folder(arguments)
    return (("kitchen", "wrong") if has_data(arguments) else ()) + ("sim",) + (("photos",) if arguments.photos else ())


def kitchen_folder(arguments: Arguments) -> Path:
    """Return the folder of the RedKitchen sequence. Raises DataError when it is not there."""
    return data_folder(arguments, KITCHEN)


def kitchen(arguments: Arguments) -> str | None:
    """Return the RedKitchen sequence, None where no data is known. Raises DataError where it lacks in the data."""
    return str(kitchen_folder(arguments)) if has_data(arguments) else None


def kitchen_if_there(arguments: Arguments) -> Path | None:
    """Return the folder of the RedKitchen sequence if it is there."""
    folder = data_root(arguments) / KITCHEN
    return folder if folder.is_dir() else None


def data_folder(arguments: Arguments, name: str) -> Path:
    """Return a folder of the benchmark data.

    Raises:
        DataError: it is not there.
    """
    folder = data_root(arguments) / name
    if not folder.is_dir():
        raise DataError(f"benchmark data {folder}", "is missing",
                        remedy=f"give --data FOLDER or set {DATA_VARIABLE}, or choose --tables sim")
    return folder


def data_root(arguments: Arguments) -> Path:
    """Return the folder of all benchmark data, where it is known."""
    return arguments.data or Path(os.environ.get(DATA_VARIABLE, ""))


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
