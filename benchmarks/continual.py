"""The tables of learning without forgetting for `bench`: a stream of rooms, and the map code against ACE's head on the
first."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.learned_codes import room_table
from benchmarks.learned_stream import LearnedRun, learn_stream, of_learned
from benchmarks.options import METHODS, ContinualBenchConfig
from benchmarks.relearn import relearn_table
from benchmarks.scene_learners import DenseLearner, MapCodeLearner
from benchmarks.scene_stream import Bound, StreamErrors, StreamScene, ask_in_the_end, errors_of, run_stream
from benchmarks.splits import Split, every, frame_number, near, split_indices
from benchmarks.table import BenchTable, spread
from cl_localization.cli.progress import shown_progress, tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import frame_names, select
from cl_localization.errors import ConfigError
from cl_localization.features import Encoder, make_encoder
from cl_localization.mapping.learned.options import LearnedCodesConfig
from cl_localization.research.ace.options import AceConfig
from cl_localization.research.ace.training import AceBuffer, learn_head, localize_with_head
from cl_localization.research.forgetting import AccuracyMatrix
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.samples import prepared
from cl_localization.research.hscnet.scene_groups import MovedSequence, mean_position_m
from cl_localization.research.hscnet.stream import joint_config
from cl_localization.research.hscnet.training import DenseTrainer
from cl_localization.research.tokens import token_encoder

BOUNDS: dict[str, Bound] = {"5 cm/5 deg": (0.05, 5.0), "20 cm/10 deg": (0.20, 10.0), "50 cm/15 deg": (0.50, 15.0)}
MAIN, COARSE = "5 cm/5 deg", "20 cm/10 deg"
MAP_CODE, JOINT, NO_REPLAY, LEARNED = "map_code", "joint", "none", "learned_"
EVERYTHING_MB = 10_000.0
APART_M, FIRST_ROOM_SEED = 30.0, 11
ROBOT, ROBOT_SHARES, STOP_FRAMES, PERIOD_NS = "robot", (0.3, 1.7, 0.6, 1.4), 150, 100_000_000
"""A robot's stream: how long it is in each room, and how long it stands."""
LEARNING_RATE, BATCH_SIZE, REGRESSION_WEIGHT, COORDINATE_CHANNELS = 2e-3, 2, 10.0, 64
"""Of the small HSCNet: chosen on RedKitchen alone, where the published ones learn nothing in the time at hand."""
ACE_HEADERS = ("RedKitchen near", "learned for [s]", "5 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]",
               "times the rate of ACE")


@dataclass(frozen=True, eq=False)
class MethodResult:
    """What a method did on the stream, by seed, and the mean time of one run in seconds of `clock_s`, asking
    included."""

    runs: list[StreamErrors]
    seconds: float

    def matrix(self, bound: str) -> AccuracyMatrix:
        """Return the mean accuracy matrix over the seeds."""
        return AccuracyMatrix.mean([run.matrix(BOUNDS[bound]) for run in self.runs])

    def to_json(self) -> dict[str, Any]:
        """Return the matrices and figures as JSON values: those of the main bound, then the others by name, then each
        seed's."""
        others = {name: self.matrix(name).to_json() for name in BOUNDS if name != MAIN}
        seeds = [{name: run.matrix(bound).to_json() for name, bound in BOUNDS.items()} for run in self.runs]
        return {**self.matrix(MAIN).to_json(), "bound": MAIN, "other_bounds": others, "seeds": seeds,
                "seconds": self.seconds}


def continual_tables(options: ContinualBenchConfig, kitchen: str | None, mapper: MapperConfig,
                     localizer: LocalizerConfig,
                     out: Path) -> list[BenchTable]:
    """Return the tables of the stream, of ACE and of rooms learned twice; the figure `continual.png` is written to a
    folder.

    Args:
        kitchen: the RedKitchen sequence; without it the stream begins with the first simulated room and ACE is left
            out.

    Raises:
        ConfigError: an unknown method.
    """
    from benchmarks.forgetting_figures import draw_forgetting
    from cl_localization.viz.style import save_figure

    methods = method_names(options.methods)
    scenes, encoder = open_stream(options, kitchen), make_encoder(mapper.encoder)
    results = {"map code": map_code_result(scenes, mapper, localizer, encoder)} if MAP_CODE in methods else {}
    learned = learned_runs(scenes, options, [method for method in methods if method.startswith(LEARNED)], mapper,
                           localizer, encoder)
    results |= learned_results(learned, scenes)
    results |= dense_results(scenes, options, [method for method in methods
                                               if method != MAP_CODE and not method.startswith(LEARNED)])
    names, drawn = [scene.name for scene in scenes], {name: result.matrix(COARSE).percent for name,
                                                      result in results.items()}
    save_figure(draw_forgetting(drawn, names, COARSE), out / "continual.png")
    said: dict[str, Any] = {"tasks": names, "methods": {name: one.to_json() for name, one in results.items()}}
    tables = [BenchTable(f"{len(scenes)} scenes one after the other, {scenes[0].name} first", headers(scenes[0].name),
                         [row(name, result) for name, result in results.items()], sentence_of(kitchen),
                         {"continual": said})]
    if learned:
        tables.append(of_learned(learned, scenes))
    if kitchen is not None and options.ace_seconds:
        against = against_ace(scenes[0], options.ace_seconds, mapper, localizer, encoder)
        said["against_ace"] = {name: {"seconds": seconds, **{bound: share(errors, bound) for bound in BOUNDS}}
                               for name, (errors, seconds) in against.items()}
        tables.append(BenchTable("map code against ACE's head, same encoder", ACE_HEADERS, ace_rows(against)))
    if kitchen is not None and options.learned_room:
        tables.append(room_table(kitchen, mapper, localizer, encoder))
    if options.rooms_twice:
        tables.append(relearn_table(options, mapper, localizer, encoder))
    return tables


def method_names(text: str) -> list[str]:
    """Return the methods that an option names, separated by commas, at least one. Raises ConfigError for an unknown
    one."""
    names = [word.strip() for word in text.split(",")]
    for name in names:
        if name not in METHODS:
            raise ConfigError("option continual.methods", f"must name some of {', '.join(METHODS)}", name)
    return names


def open_stream(options: ContinualBenchConfig, kitchen: str | None) -> list[StreamScene]:
    """Return the scenes, read once, each in its own place of one frame."""
    opened: list[tuple[str, Sequence, Sequence]] = []
    if kitchen is not None:
        opened.append(("RedKitchen", *parts(open_sequence(kitchen), near)))
    for number in range(options.rooms):
        room = f"sim:{FIRST_ROOM_SEED + number}?rooms=1"
        share = ROBOT_SHARES[number % len(ROBOT_SHARES)] if options.stream == ROBOT else 1.0
        learned = open_sequence(f"{room}&frames={round(share * options.frames)}")
        other_way = options.room_queries == "other"
        opened.append(
            (
                f"room {number + 1}",
                *(
                    (learned, open_sequence(f"{room}&path=tracking&frames={options.queries}"))
                    if other_way
                    else parts(learned, every(4))
                ),
            )
        )
    scenes = []
    for number, (name, learned, asked) in enumerate(tracked(opened, len(opened), "reading scenes", "scenes")):
        shift_m = np.array([APART_M * number, 0.0, 0.0]) - mean_position_m(learned)
        places = np.unique(np.linspace(0, len(asked) - 1, min(options.queries, len(asked))).round().astype(int))
        frames, queries = (list(MovedSequence(each, shift_m)) for each in (learned, select(asked, places)))
        scenes.append(StreamScene(name, with_stops(frames) if options.stream == ROBOT else frames, queries))
    return scenes


def with_stops(frames: list[Frame]) -> list[Frame]:
    """Return frames of a way on which the camera stood still twice."""
    counts = np.ones(len(frames), np.int64)
    counts[[len(frames) // 3, 2 * len(frames) // 3]] = STOP_FRAMES
    return [replace(frames[row], stamp_ns=number * PERIOD_NS)
            for number, row in enumerate(np.repeat(np.arange(len(frames)), counts))]


def parts(sequence: Sequence, split: Split) -> tuple[Sequence, Sequence]:
    """Return the frames of a sequence that are learned, and those that are asked for."""
    learned, asked = split_indices([frame_number(name) for name in frame_names(sequence)], split)
    return select(sequence, learned), select(sequence, asked)


def map_code_result(scenes: list[StreamScene], mapper: MapperConfig, localizer: LocalizerConfig,
                    encoder: Encoder) -> MethodResult:
    """Return what the map code does; it draws nothing at random, so one run is enough."""
    start = clock_s()
    with shown_progress("map code", "scenes") as tell:
        errors = run_stream(scenes, MapCodeLearner(mapper, localizer, encoder), tell)
    return MethodResult([errors], clock_s() - start)


def learned_runs(scenes: list[StreamScene], options: ContinualBenchConfig, methods: list[str], mapper: MapperConfig,
                 localizer: LocalizerConfig, encoder: Encoder) -> list[LearnedRun]:
    """Return what learned codes do with each replay policy, every seed; `joint` keeps every keyframe."""
    ways = []
    for policy in (method.removeprefix(LEARNED) for method in methods):
        kept = {"replay_mb": EVERYTHING_MB} if policy == JOINT else {"replay_mb": options.learned_replay_mb,
                                                                     "replay_policy": policy}
        ways += [(policy, LearnedCodesConfig(size_kb=options.learned_kb, final_steps=options.learned_steps, seed=seed,
                                             **kept))
                 for seed in range(options.seed, options.seed + options.seeds)]
    if not ways:
        return []
    with shown_progress("learned codes", "scenes") as tell:
        return learn_stream(scenes, ways, mapper, localizer, encoder, tell)


def learned_results(runs: list[LearnedRun], scenes: list[StreamScene]) -> dict[str, MethodResult]:
    """Return what became of poses, by the methods' names in the table."""
    names, results = tuple(scene.name for scene in scenes), {}
    for method in dict.fromkeys(run.method for run in runs):
        same = [run for run in runs if run.method == method]
        title = f"learned codes, {'no replay' if method == NO_REPLAY else method}"
        results[title] = MethodResult([StreamErrors(names, run.errors) for run in same],
                                      float(np.mean([run.seconds for run in same])))
    return results


def dense_results(
    scenes: list[StreamScene], options: ContinualBenchConfig, methods: list[str]
) -> dict[str, MethodResult]:
    """Return what the small HSCNet does with each method, by its name in the tables."""
    small = [replace(scene, frames=shrunk(scene.frames, options.image_width_px),
                     queries=shrunk(scene.queries, options.image_width_px))
             for scene in scenes]
    results = {}
    for method in methods:
        start = clock_s()
        seeds = range(options.seed, options.seed + options.seeds)
        runs = [dense_run(small, options, method, seed) for seed in tracked(seeds, len(seeds), f"HSCNet, {method}",
                                                                            "trainings")]
        results[f"small HSCNet, {'no replay' if method == NO_REPLAY else method}"] = \
            MethodResult(runs, (clock_s() - start) / len(seeds))
    return results


def shrunk(frames: Sequence, width_px: int) -> list[Frame]:
    """Return frames of the network's size."""
    return [prepared(frame, width_px) for frame in frames]


def dense_run(scenes: list[StreamScene], options: ContinualBenchConfig, method: str, seed: int) -> StreamErrors:
    """Return what one training does: all take the same number of steps, and all but the one without replay as many
    images in each."""
    replays = method not in (NO_REPLAY, JOINT)
    config = DenseTrainingConfig(
        width=options.width, image_width_px=options.image_width_px, iterations=options.iterations,
        learning_rate=LEARNING_RATE,
        batch_size=2 * BATCH_SIZE if method == JOINT else BATCH_SIZE, regression_weight=REGRESSION_WEIGHT,
        augment=False, seed=seed,
        coordinate_channels=COORDINATE_CHANNELS,
        buffer_size=options.buffer_size if replays else 0, sampling=method if replays else "Random")
    if method == JOINT:
        trainer = DenseTrainer(len(scenes), joint_config(config, len(scenes)))
        trainer.learn_jointly([scene.frames for scene in scenes])
        return ask_in_the_end(scenes, DenseLearner(trainer))
    return run_stream(scenes, DenseLearner(DenseTrainer(len(scenes), config)))


def headers(first: str) -> tuple[str, ...]:
    """Return the headers of the table of the stream."""
    figures = ("average [%]", f"forgotten of {first}", "backward transfer")
    of_bounds = [f"{bound}: {figure}" for bound in (MAIN, COARSE) for figure in figures]
    return ("method", "runs", *of_bounds, "50 cm/15 deg: average [%]", "time of a run [s]")


def row(name: str, result: MethodResult) -> tuple[str, ...]:
    """Return one row of the table of the stream."""
    cells = []
    for bound in (MAIN, COARSE):
        matrix = result.matrix(bound)
        forgotten = matrix.forgetting[0] if len(matrix.forgetting) else np.nan
        cells += [spread([run.matrix(BOUNDS[bound]).average for run in result.runs]), number(forgotten),
                  number(matrix.backward_transfer)]
    coarsest = spread([run.matrix(BOUNDS["50 cm/15 deg"]).average for run in result.runs])
    return (name, str(len(result.runs)), *cells, coarsest, f"{result.seconds:.0f}")


def sentence_of(kitchen: str | None) -> str:
    """Return what is said under the table."""
    start = "" if kitchen is not None else "RedKitchen is left out: say with --data where it is. "
    return (f"{start}Rates are of queries of all scenes, whose scene is not told; of several seeds the mean and the "
            "standard deviation.")


def number(value: float) -> str:
    """Return a figure of the table, a dash where it was not measured."""
    return "-" if np.isnan(value) else f"{value:.1f}"


def against_ace(scene: StreamScene, seconds: float, mapper: MapperConfig, localizer: LocalizerConfig,
                encoder: Encoder) -> dict[str, tuple[np.ndarray, float]]:
    """Return errors on a scene's queries and seconds of learning, of the map code and of ACE's head.

    The head learns from poses alone for `seconds` with its features given; the map code is measured from images to map,
    with the depth of the frames and without it. Seconds are processor time over the number of threads: what a clock
    shows when nothing else runs.
    """
    results = {}
    for name, frames in (("map code", scene.frames), ("map code without depth",
                                                      [replace(frame, depth_m=None) for frame in scene.frames])):
        learner = MapCodeLearner(mapper, localizer, encoder)
        start = clock_s()
        learner.learn(0, frames)
        results[name] = (clock_s() - start, learner)
    tokens = token_encoder(mapper.encoder)
    head = learn_head(AceBuffer.of(scene.frames, tokens), AceConfig(max_seconds=seconds), clock=clock_s)
    found = {name: (errors_of(learner, scene.queries), took) for name, (took, learner) in results.items()}
    return {**found, "ACE's head": (errors_of(HeadLearner(head, tokens), scene.queries), seconds)}


def clock_s() -> float:
    """Return processor time over the number of threads."""
    return time.process_time() / torch.get_num_threads()


class HeadLearner:
    """A head that has learned its one scene, as a learner that is asked."""

    def __init__(self, head: Any, encoder: Encoder) -> None:
        """Take a head and the encoder it was learned with."""
        self._head, self._encoder = head, encoder

    def pose(self, frame: Frame) -> np.ndarray | None:
        """See `Learner`."""
        return localize_with_head(self._head, self._encoder.encode(frame.image), frame.camera).world_T_cam


def share(errors: np.ndarray, bound: str) -> float:
    """Return the share of errors (N, 2) within a bound, in percent."""
    return 100.0 * float((errors <= BOUNDS[bound]).all(axis=1).mean())


def ace_rows(against: dict[str, tuple[np.ndarray, float]]) -> list[tuple[str, ...]]:
    """Return the rows of the table against ACE, which is the last of the methods."""
    base = share(list(against.values())[-1][0], MAIN)
    return [(name, f"{seconds:.0f}", f"{share(errors, MAIN):.1f}", f"{share(errors, COARSE):.1f}",
             f"{100 * np.median(errors[:, 0]):.1f}",
             f"{share(errors, MAIN) / base:.1f}" if base else "-") for name, (errors, seconds) in against.items()]
