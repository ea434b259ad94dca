"""The tables `worth` of `bench`: what a radiance field beside the map does for the robot, each use on and off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Sized
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.cli.bench_options import WorthBenchConfig
from cl_localization.cli.bench_pose_check import check_table, thinned
from cl_localization.cli.bench_runs import splitter
from cl_localization.cli.bench_table import BenchTable
from cl_localization.cli.localizing import try_sequence
from cl_localization.cli.progress import tracked
from cl_localization.config import KeyframeConfig, LiveNerfConfig, LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.evaluation.splits import near
from cl_localization.evaluation.summary import EvaluationSummary, summarize
from cl_localization.evaluation.worth import learn, so_many_by_way, stored_bytes, with_field
from cl_localization.features.shared import shared_encoder
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.nerf.live import LiveField
from cl_localization.novelty_keyframes import NoveltyPolicy
from cl_localization.render_replay import replay
from cl_localization.scene_coordinates.map_code import MapCode

CHANGED = "&moved=0.6&light=night"
REPLAY_HEADERS = ("map", "place", "codes", "map [MB]", "field [MB]", "queries", "localized [%]", "5 cm/5 deg [%]", "20 cm/10 deg [%]",
                  "wrong")
NOVELTY_HEADERS = ("keyframes chosen by", "place", "keyframes", "of the second visit", "map [MB]", "queries as first seen",
                   "5 cm/5 deg [%]", "wrong", "queries after the change", "5 cm/5 deg [%]", "wrong")


@dataclass(frozen=True, eq=False)
class Drive:
    """Frames of which keyframes are chosen.

    Attributes:
        stream: in order of time; from `changes_at` on, the place has changed.
        queries: of the place as it was, and where it changes, after that.
    """

    name: str
    stream: list[Frame]
    changes_at: int
    queries: list[Sequence]


def worth_tables(kitchen: str | None, options: WorthBenchConfig, mapper: MapperConfig, localizer: LocalizerConfig) -> list[BenchTable]:
    """Return the tables of the pose check, of generative replay and of keyframes chosen by novelty.

    Args:
        kitchen: the RedKitchen sequence; None leaves it out.

    Raises:
        ConfigError: an unknown use, or bounds of novelty that are no numbers.
    """
    tables = {"check": lambda: check_table(kitchen, options, mapper, localizer),
              "replay": lambda: replay_table(kitchen, options, mapper, localizer),
              "novelty": lambda: novelty_table(kitchen, options, mapper, localizer)}
    return [tables[use]() for use in options.chosen_uses]


def replay_table(kitchen: str | None, options: WorthBenchConfig, mapper: MapperConfig, localizer: LocalizerConfig) -> BenchTable:
    """Return the table of generative replay."""
    seed = options.seed
    places = [(f"room {seed}", open_sequence(f"sim:{seed}?rooms=1&frames={options.frames}"),
               open_sequence(f"sim:{seed}?rooms=1&path=tracking&frames={options.queries}"))]
    if kitchen is not None:
        mapped, queries = splitter(kitchen, near)()
        places.append(("kitchen", thinned(mapped, options.frames), thinned(queries, options.queries)))
    rows, results = [], []
    for name, mapped, queries in places:
        frames = list(tracked(mapped, len(mapped), f"reading {name}"))
        for label, map_code, field_bytes in replayed_maps(frames, options, mapper):
            summary = asked(map_code, queries, mapper, localizer, label)
            rows.append((label, name, f"{len(map_code):,}", *megabytes(map_code.size_bytes, field_bytes), *rates(summary),
                         f"{summary.within_20cm_10deg_percent:.1f}", str(summary.wrong_accepted)))
            results.append({"map": label, "place": name, "map_bytes": map_code.size_bytes, "field_bytes": field_bytes,
                            **summary.to_json()})
    return BenchTable("Generative replay: a map that had little memory, and views rendered for it when it gets more", REPLAY_HEADERS, rows,
                      "field: its values at half precision.", {"generative_replay": results})


def replayed_maps(frames: list[Frame], options: WorthBenchConfig, config: MapperConfig) -> Iterable[tuple[str, MapCode, int]]:
    """Yield names, maps, and the bytes of the field they need: little memory, rendered views after it, more memory without a field."""
    small, large = options.budget_mb, options.budget_mb * options.growth
    mapper, field = with_field(frames, budgeted(config, small), options.steps)
    field_bytes = stored_bytes(field)
    yield f"{small:g} MB", mapper.map_code, 0
    map_code = MapCode.from_snapshot(mapper.map_code.delta_since(0), budgeted(config, large).map_code)
    poses = [frame.world_T_cam for frame in frames[::options.every]]
    replay(Mapper(every_frame(budgeted(config, large)), mapper.encoder, map_code), field, poses, frames[0].camera, frames[-1].stamp_ns)
    yield f"{small:g} MB, then {large:g} MB and rendered views", map_code, field_bytes
    for budget_mb in (large, small + field_bytes / 1e6):
        yield f"{budget_mb:.3g} MB from the start", map_of(frames, budgeted(config, budget_mb)), 0


def budgeted(config: MapperConfig, budget_mb: float) -> MapperConfig:
    """Return a mapper's options with another memory bound."""
    return replace(config, map_code=replace(config.map_code, budget_mb=budget_mb))


def every_frame(config: MapperConfig) -> MapperConfig:
    """Return a mapper's options with which every frame is a keyframe."""
    return replace(config, keyframes=KeyframeConfig(0.0, 0.0))


def map_of(frames: Iterable[Frame], config: MapperConfig) -> MapCode:
    """Return the map of frames."""
    mapper = Mapper(config, shared_encoder(config.encoder))
    for frame in frames:
        mapper.add(frame)
    mapper.finish()
    return mapper.map_code


def asked(map_code: MapCode, queries: Sequence, mapper: MapperConfig, localizer: LocalizerConfig, label: str) -> EvaluationSummary:
    """Return how queries are localized in a map."""
    trial = try_sequence(Localizer(map_code, localizer, shared_encoder(mapper.encoder)), queries, f"localizing, {label}")
    return summarize(trial.records, map_code.size_bytes, len(map_code), trial.skipped)


def megabytes(*sizes: int) -> tuple[str, ...]:
    """Return cells with bytes in MB, a dash for none."""
    return tuple(f"{size / 1e6:.2f}" if size else "-" for size in sizes)


def rates(summary: EvaluationSummary) -> tuple[str, str, str]:
    """Return three cells: queries, percent localized, percent within 5 cm and 5 degrees."""
    return str(summary.frames), f"{100 * summary.localized / summary.frames:.1f}", f"{summary.within_5cm_5deg_percent:.1f}"


def novelty_table(kitchen: str | None, options: WorthBenchConfig, mapper: MapperConfig, localizer: LocalizerConfig) -> BenchTable:
    """Return the table of keyframes chosen by novelty."""
    drives = [room_drive(options), *([kitchen_drive(kitchen, options)] if kitchen is not None else [])]
    rows, results = [], []
    for drive in drives:
        for psnr_db in options.novelties_db:
            for label, chosen in chosen_keyframes(drive.stream, psnr_db, mapper, options.steps):
                map_code = map_of([drive.stream[index] for index in chosen], every_frame(mapper))
                found = [asked(map_code, queries, mapper, localizer, label) for queries in drive.queries]
                of_second = sum(index >= drive.changes_at for index in chosen)
                rows.append((label, drive.name, str(len(chosen)), str(of_second), *megabytes(map_code.size_bytes),
                             *[cell for each in (*found, None)[:2] for cell in novelty_cells(each)]))
                results.append({"by": label, "place": drive.name, "keyframes": len(chosen), "of_the_second_visit": of_second,
                                "map_bytes": map_code.size_bytes, "found": [each.to_json() for each in found]})
    return BenchTable("Keyframes by novelty, by the way, or by time, as many of each", NOVELTY_HEADERS, rows,
                      "The second visit, and the queries after the change: furniture moved, at night.", {"novelty": results})


def novelty_cells(summary: EvaluationSummary | None) -> tuple[str, str, str]:
    """Return three cells: queries, percent within 5 cm and 5 degrees, wrong poses; dashes for no queries."""
    if summary is None:
        return "-", "-", "-"
    return str(summary.frames), f"{summary.within_5cm_5deg_percent:.1f}", str(summary.wrong_accepted)


def room_drive(options: WorthBenchConfig) -> Drive:
    """Return a room seen twice, the second time with furniture moved and at night."""
    room = f"sim:{options.seed}?rooms=1"
    way, asking = f"{room}&frames={options.frames}", f"{room}&path=tracking&frames={options.queries}"
    first, second = list(open_sequence(way)), list(open_sequence(way + CHANGED))
    return Drive(f"room {options.seed}", [*first, *second], len(first), [open_sequence(asking), open_sequence(asking + CHANGED)])


def kitchen_drive(spec: str, options: WorthBenchConfig) -> Drive:
    """Return RedKitchen, seen once."""
    mapped, queries = splitter(spec, near)()
    frames = list(thinned(mapped, options.frames))
    return Drive("kitchen", frames, len(frames), [thinned(queries, options.queries)])


def chosen_keyframes(stream: list[Frame], psnr_db: float, config: MapperConfig, steps: int) -> list[tuple[str, Sized[int]]]:
    """Return keyframes chosen by novelty, as many by the way, and as many spread evenly over time; each with its name."""
    field, by_novelty = LiveField(LiveNerfConfig()), []
    policy = NoveltyPolicy(field, psnr_db)
    for index, frame in enumerate(tracked(stream, len(stream), f"novelty below {psnr_db:g} dB")):
        if policy.is_new(frame):
            by_novelty.append(index)
            learn(field, frame, steps)
    poses = np.stack([frame.world_T_cam for frame in stream])
    by_way = so_many_by_way(poses, len(by_novelty), config.keyframes.min_translation_m, config.keyframes.min_rotation_deg)
    by_time = np.unique(np.linspace(0, len(stream) - 1, len(by_novelty)).round().astype(int)).tolist()
    return [(f"novelty below {psnr_db:g} dB", by_novelty), ("way", by_way), ("time", by_time)]
