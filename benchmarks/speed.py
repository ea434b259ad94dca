"""The tables `speed` of `bench`: poses at the rate of the images.

What flow between full localizations costs in accuracy, where the time of a full one goes, what large maps cost, and
what flow gains in real node processes.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.following import Answer, TrackedImages
from benchmarks.nodes import NAMES, WARM_UP_S, driven_house, finite
from benchmarks.runs import Bench, Experiment, kitchen_experiments
from benchmarks.steps import step_tables
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import FlowConfig, PoseConfig, TrackerConfig
from cl_localization.data import open_sequence
from cl_localization.data.sequence import select
from cl_localization.evaluation.run import image_only
from cl_localization.evaluation.summary import BOUNDS, inside_95_percent, percent_within
from cl_localization.geometry.se3 import difference, pose_error
from cl_localization.tracking.flow import FlowImage
from cl_localization.tracking.look import Look

if TYPE_CHECKING:
    from benchmarks.image_rate import RateOutcome
    from cl_localization.data.frame import Sequence
    from cl_localization.localization.result import Localization
    from cl_localization.localizer import Localizer

STEPS = (1, 3, 5, 10)
"""One image in so many is localized fully."""

LOOK_SHARE = 0.99
"""A full localization takes this share of the time between two images: it is ready for the next one."""

COST_STEP = 3

HOUSES, HOUSE_HZ, MAPPED_FRAMES, WAY_FRAMES, SHOWN = 3, 30, 150, 900, range(100, 250)
HEADERS = ("images", "localized fully", "poses", "5 cm/5 deg [%]", "10 cm/5 deg [%]", "median [cm]", "median [deg]",
           "inside 95 % ellipsoid [%]")

NODES_HZ = 30.0
HEADERS_NODES = ("localizer", "flow", "poses on tf [Hz]", "stamp to tf p50 [ms]", "p95 [ms]", "learned [Hz]")


@dataclass(frozen=True)
class FlowRun:
    """One row: images of a sequence, of which every n-th was localized fully.

    Attributes:
        name, step: the sequence, and n.
        looks, images, posed: full localizations, images, and those of them with a trusted pose.
        median_cm, median_deg: errors of trusted poses; None without any.
        within_5cm_percent, within_10cm_percent: images with a trusted pose within that and 5 deg.
        inside_percent: trusted poses inside their 95 % ellipsoids; None without any.
    """

    name: str
    step: int
    looks: int
    images: int
    posed: int
    within_5cm_percent: float
    within_10cm_percent: float
    median_cm: float | None
    median_deg: float | None
    inside_percent: float | None

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        found = ("-" if value is None else f"{value:.{digits}f}" for value, digits in (
            (self.median_cm, 2), (self.median_deg, 2), (self.inside_percent, 1)))
        return (self.name, f"{self.looks} of {self.images}", str(self.posed), f"{self.within_5cm_percent:.1f}",
                f"{self.within_10cm_percent:.1f}", *found)


def speed_tables(bench: Bench, tracker: TrackerConfig, kitchen: str | None, seed: int,
                 seconds: float) -> list[BenchTable]:
    """Return the tables: RedKitchen where its folder is given, simulated houses, and `seconds` of node processes."""
    experiments = [*(kitchen_experiments(kitchen)[:2] if kitchen else []), *_houses(seed)]
    runs: list[FlowRun] = []
    shares: list[float] = []
    for experiment in experiments:
        queries = image_only(experiment.open()[1])
        found = localized_queries(bench, experiment, queries)
        runs += [flow_run(experiment.name, queries, found, step, tracker) for step in STEPS]
        shares += cost_shares(bench.localizer, queries, found)
    share = float(np.median(shares))
    sentence = f"Flow takes {share:.2f} of the time that the network takes for the same image, median of {len(shares)}."
    return [BenchTable("flow between full localizations", HEADERS, [run.row() for run in runs], sentence,
                       {"flow": [asdict(run) for run in runs], "flow_over_encoding": share}),
            *step_tables(bench, experiments[0]), rate_table(seed, seconds)]


def localized_queries(bench: Bench, experiment: Experiment, queries: Sequence) -> dict[int, Localization]:
    """Map, and localize every query fully; return the localizations by timestamp."""
    bench.run(Experiment(experiment.name, lambda: (experiment.open()[0], None), experiment.use_depth))
    return {frame.stamp_ns: bench.localizer.localize(frame)
            for frame in tracked(queries, len(queries), f"localizing, {experiment.name}")}


def cost_shares(localizer: Localizer, queries: Sequence, found: dict[int, Localization]) -> list[float]:
    """Return, for pairs of images, the time of flow to the second over that of encoding it.

    Both are measured one right after the other, so that other programs slow both down.
    """
    shares = []
    for number in range(0, len(queries) - 1, COST_STEP):
        before, frame = queries[number], queries[number + 1]
        look = Look(before, found[before.stamp_ns])
        started_s = time.perf_counter()
        look.carry(FlowImage.of(frame.image), frame.stamp_ns, look.found.world_T_cam, PoseConfig())
        carried_s = time.perf_counter()
        localizer.encoder.encode(frame.image)
        shares.append((carried_s - started_s) / (time.perf_counter() - carried_s))
    return shares


def _houses(seed: int) -> list[Experiment]:
    """Return simulated houses in which the robot drives at a few decimetres a second, 30 images a second."""
    def opened(number: int) -> tuple[Sequence, Sequence]:
        spec = f"sim:{seed + number}?size=640x480&hz={HOUSE_HZ}"
        way = open_sequence(f"{spec}&path=tracking&frames={WAY_FRAMES}")
        return open_sequence(f"{spec}&path=mapping&frames={MAPPED_FRAMES}"), select(way, SHOWN)

    return [Experiment(f"simulated house {seed + number}", lambda number=number: opened(number))
            for number in range(HOUSES)]


def flow_run(name: str, queries: Sequence, found: dict[int, Localization], step: int,
             tracker: TrackerConfig) -> FlowRun:
    """Return the row of queries of which every `step`-th is localized fully."""
    stamps = np.array(sorted(found))
    period_s = LOOK_SHARE * float(np.median(np.diff(stamps))) / 1e9
    run = TrackedImages(lambda frame: found[frame.stamp_ns], period_s, FlowConfig(step > 1, step * period_s), tracker)
    for frame in queries:
        run.show(frame)
    answers = run.finish()
    return summarized(name, step, run.looks, len(queries), answers)


def summarized(name: str, step: int, looks: int, images: int, answers: list[Answer]) -> FlowRun:
    """Return the row of tracked images."""
    trusted = [answer for answer in answers if answer.trusted]
    poses = [(answer.found.world_T_cam, answer.true_world_T_cam) for answer in trusted]
    errors = np.array([pose_error(*pair) for pair in poses]).reshape(-1, 2)
    differences = np.array([difference(*pair) for pair in poses]).reshape(-1, 6)
    covariances = np.array([answer.found.covariance for answer in trusted]).reshape(-1, 6, 6)
    within = [percent_within(errors, bound, images) for bound in BOUNDS[:2]]
    return FlowRun(name, step, looks, images, len(trusted), *within, _median(100 * errors[:, 0]), _median(errors[:, 1]),
                   inside_95_percent(differences, covariances))


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) else None


def rate_table(seed: int, seconds: float) -> BenchTable:
    """Return the table of node processes that get 30 images a second: poses on tf, and when they come."""
    from benchmarks.image_rate import run_image_rate
    from benchmarks.load import MAPPERS

    runs = [(mapper, flow) for mapper in MAPPERS for flow in (False, True)]
    with driven_house(seed, NODES_HZ) as shown:
        outcomes = [run_image_rate(mapper, flow, shown, WARM_UP_S, seconds)
                    for mapper, flow in tracked(runs, len(runs), "image rate")]
    return BenchTable("30 images a second", HEADERS_NODES, [rate_row(outcome) for outcome in outcomes],
                      results={"image_rate": [{key: finite(value) if isinstance(value, float) else value
                                               for key, value in asdict(outcome).items()} for outcome in outcomes]})


def rate_row(outcome: RateOutcome) -> tuple[str, ...]:
    """Return one row, in the order of `HEADERS_NODES`."""
    return (NAMES[outcome.mapper], "on" if outcome.flow else "off", f"{outcome.tf_hz:.1f}",
            f"{outcome.latency_ms_p50:.0f}", f"{outcome.latency_ms_p95:.0f}", f"{outcome.learned_hz:.1f}")
