"""Learned codes for `bench continual`: a table of one room in 100 kB."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.encoders import TimedEncoder
from benchmarks.scene_stream import Bound, errors_of
from benchmarks.splits import Split, far, frame_number, near, split_indices
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapCodeConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.data.sequence import frame_names, select
from cl_localization.features import Encoder
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.mapping.learned.distillation import compressed
from cl_localization.mapping.learned.options import DistillationConfig, LearnedCodesConfig

SIZE_BYTES = 100_000
SPLITS: dict[str, Split] = {"near": near, "far": far}
BOUNDS: dict[str, Bound] = {"5 cm/5 deg": (0.05, 5.0), "20 cm/10 deg": (0.20, 10.0)}
HEADERS = ("RedKitchen", "map", "learned from", "codes", "bytes", "made in [s]", *(f"{name} [%]" for name in BOUNDS),
           "median [cm]", "search p50 [ms]")


@dataclass(frozen=True, eq=False)
class MadeMap:
    """A map, what it was learned from, and the processor time that took beside encoding."""

    name: str
    source: str
    map_code: MapCode
    seconds: float


def room_table(kitchen: str, mapper: MapperConfig, localizer: LocalizerConfig, encoder: Encoder) -> BenchTable:
    """Return the table of RedKitchen in 100 kB, near and far."""
    rows, results = [], {}
    for name, split in SPLITS.items():
        sequence = open_sequence(kitchen)
        mapped, asked = split_indices([frame_number(one) for one in frame_names(sequence)], split)
        frames, queries = list(select(sequence, np.array(mapped))), list(select(sequence, np.array(asked)))
        for made in tracked(made_maps(frames, mapper, TimedEncoder(encoder)), 6, f"RedKitchen {name}", "maps"):
            errors, search_ms = asked_for(made.map_code, queries, localizer, encoder)
            rows.append(row(name, made, errors, search_ms))
            results[f"{name}, {made.name}, {made.source}"] = dict(zip(HEADERS[3:], rows[-1][3:]))
    return BenchTable("a room in 100 kB", HEADERS, rows, "Seconds are processor time, encoding left out.",
                      {"learned_codes": results})


def made_maps(frames: Sequence[Frame], mapper: MapperConfig, encoder: TimedEncoder) -> Any:
    """Yield the maps of some frames, each of at most `SIZE_BYTES`."""
    small = replace(mapper, map_code=replace(MapCodeConfig(), budget_mb=SIZE_BYTES / 1e6))
    learned = LearnedCodesConfig(size_kb=SIZE_BYTES / 1e3)
    for source, seen in (("depth", frames), ("poses alone", [replace(frame, depth_m=None) for frame in frames])):
        yield mapped_by("grown within a budget", source, seen, small, encoder)
        yield mapped_by("learned online", source, seen, mapper, encoder, learned)
        grown = mapped_by("", source, seen, mapper, encoder)
        started_s = time.process_time()
        distilled = compressed(grown.map_code, SIZE_BYTES, DistillationConfig())
        yield MadeMap("compressed", f"map with {source}", distilled, time.process_time() - started_s)


def mapped_by(name: str, source: str, frames: Sequence[Frame], config: MapperConfig, encoder: TimedEncoder,
              learned: LearnedCodesConfig | None = None) -> MadeMap:
    """Return the map that a mapper makes of some frames."""
    started_s, encoded_s = time.process_time(), encoder.seconds
    mapper = Mapper(config, encoder, learned=learned)
    for frame in frames:
        mapper.add(frame)
    mapper.finish()
    return MadeMap(name, source, mapper.made, time.process_time() - started_s - (encoder.seconds - encoded_s))


def asked_for(map_code: MapCode, queries: Sequence[Frame], config: LocalizerConfig,
              encoder: Encoder) -> tuple[np.ndarray, float]:
    """Return the errors (N, 2) of queries in a map, infinite where no pose is accepted, and the median time of a search
    in ms of processor time, encoding left out."""
    localizer, timed = Localizer(map_code, config, encoder), []

    class Asked:
        def learn(self, scene: int, frames: Sequence[Frame]) -> None: ...

        def pose(self, frame: Frame) -> np.ndarray | None:
            encoder.encode(frame.image)
            started_s = time.process_time()
            found = localizer.localize(frame)
            timed.append(time.process_time() - started_s)
            return found.world_T_cam if found.accepted else None

    return errors_of(Asked(), queries), 1e3 * float(np.median(timed))


def row(split: str, made: MadeMap, errors: np.ndarray, search_ms: float) -> tuple[str, ...]:
    """Return one row of the table."""
    rates = [f"{100 * (errors <= bound).all(axis=1).mean():.0f}" for bound in BOUNDS.values()]
    median = float(np.median(errors[:, 0]))
    return (split, made.name, made.source, f"{len(made.map_code):,}", f"{made.map_code.size_bytes:,}",
            f"{made.seconds:.0f}", *rates, f"{100 * median:.1f}" if np.isfinite(median) else "-", f"{search_ms:.0f}")
