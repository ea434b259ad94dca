"""The experiments of `bench`: what is mapped, what is asked for, and what came out."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibration import Calibration, calibration
from benchmarks.splits import Split, every, far, frame_number, near, split_indices
from cl_localization.cli.localizing import open_localizer, try_sequence
from cl_localization.cli.map import map_sequence
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Sequence
from cl_localization.data.sequence import frame_names, select
from cl_localization.evaluation.summary import EvaluationSummary, summarize
from cl_localization.localizer import Localizer
from cl_localization.map.map_file import save_map
from cl_localization.mapper import Mapper

OTHER_PLACES = 5
"""Simulated houses that the images of other places are spread over."""

OTHER_PLACE_SEED = 1000


@dataclass(frozen=True)
class Experiment:
    """What is mapped and what is asked for.

    Attributes:
        name: for the table.
        open: gives the mapping sequence and the queries, None for no queries.
        use_depth: whether mapping may look at depth.
    """

    name: str
    open: Callable[[], tuple[Sequence, Sequence | None]]
    use_depth: bool = True


@dataclass(frozen=True)
class Outcome:
    """What came out of an experiment; `summary` and `calibration` are None without queries.

    Attributes:
        mapped: frames.
        mapping_s: from the first image file to the map file.
        file_bytes: size of that.
    """

    name: str
    mapped: int
    mapping_s: float
    codes: int
    file_bytes: int
    summary: EvaluationSummary | None
    calibration: Calibration | None


class Bench:
    """Runs experiments one after the other and keeps their outcomes and the last localizer."""

    def __init__(self, mapper_config: MapperConfig, localizer_config: LocalizerConfig) -> None:
        self.mapper_config, self.localizer_config = mapper_config, localizer_config
        self.outcomes: list[Outcome] = []
        self.localizer: Localizer | None = None

    def run(self, experiment: Experiment) -> Outcome:
        """Map, write the map, read it back, localize the queries; return and keep the outcome."""
        mapping, queries = experiment.open()
        with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as folder:
            path = Path(folder) / "bench.map"
            start = time.perf_counter()
            mapper = Mapper(self.mapper_config)
            count = map_sequence(mapper, mapping, experiment.use_depth)
            save_map(mapper.map_code, path)
            mapping_s, file_bytes = time.perf_counter() - start, path.stat().st_size
            self.localizer, map_code = open_localizer(path, self.localizer_config)
        summary = calibrated = None
        if queries is not None:
            trial = try_sequence(self.localizer, queries, f"localizing, {experiment.name}")
            summary = summarize(trial.records, map_code.size_bytes, len(map_code), trial.skipped)
            calibrated = calibration(trial.records)
        self.outcomes.append(Outcome(experiment.name, count.frames, mapping_s, len(map_code), file_bytes, summary,
                                     calibrated))
        return self.outcomes[-1]

    def other_places(self, tries: int) -> tuple[int, int]:
        """Try images of simulated houses against the map of the last experiment; return (tried, accepted)."""
        frames, tried, accepted = -(-tries // OTHER_PLACES), 0, 0
        for seed in range(OTHER_PLACE_SEED, OTHER_PLACE_SEED + OTHER_PLACES):
            if tried == tries:
                break
            house = open_sequence(f"sim:{seed}?frames={frames}&size=640x480")
            queries = select(house, range(min(len(house), tries - tried)))
            records = try_sequence(self.localizer, queries, f"other places, house {seed}").records
            tried, accepted = tried + len(records), accepted + sum(record.accepted for record in records)
        return tried, accepted


def kitchen_experiments(spec: str, with_queries: bool = True) -> list[Experiment]:
    """Return the experiments on RedKitchen; the last one maps all of it and asks for nothing."""
    experiments = (
        [
            Experiment(f"kitchen {name}, {'depth' if use_depth else 'no depth'}", splitter(spec, split), use_depth)
            for use_depth in (True, False)
            for name, split in (("near", near), ("far", far))
        ]
        if with_queries
        else []
    )
    return [*experiments, Experiment("kitchen, all frames, depth", lambda: (open_sequence(spec), None))]


def sim_experiment(seed: int, frames: int) -> Experiment:
    """Return the experiment on the simulated house: map one path, ask along another. Latency includes the rendering."""
    return Experiment(f"simulated house {seed}", lambda: (
        open_sequence(f"sim:{seed}?path=mapping&frames={frames}"),
        open_sequence(f"sim:{seed}?path=tracking&frames={max(frames // 3, 1)}")))


def photo_experiment(spec: str) -> Experiment:
    """Return the experiment on a set of photos: every fifth is a query, no depth."""
    return Experiment(f"photos {Path(spec).name}", splitter(spec, every(5), by_name=False), use_depth=False)


def splitter(spec: str, split: Split, by_name: bool = True) -> Callable[[], tuple[Sequence, Sequence]]:
    """Return a function that opens a sequence and gives its mapped part and its queries.

    Args:
        split: says of a frame's number whether it is mapped.
        by_name: whether the number is the one in the frame's name, or its index.
    """
    def opened() -> tuple[Sequence, Sequence]:
        sequence = open_sequence(spec)
        numbers = [frame_number(name) for name in frame_names(sequence)] if by_name else range(len(sequence))
        mapped, queries = split_indices(numbers, split)
        return select(sequence, mapped, f"{sequence.name}, mapped"), select(
            sequence, queries, f"{sequence.name}, queries"
        )
    return opened
