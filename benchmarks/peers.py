"""The table `peers` of `bench`: the same queries of RedKitchen, localized by other recipes.

hloc's recipe: the keyframes that look most alike, mutual nearest neighbours or LighterGlue, and PoseLib, on the
features and the place descriptors that ours has; and ORB-SLAM3 where it is installed (`pip install pyorbslam3`), which
follows the whole sequence as it comes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec

import numpy as np

from benchmarks import orb_slam3
from benchmarks.orb_slam3 import SAME_FRAME_NS, Followed
from benchmarks.plain_recipe import Matcher, PlainRecipe, nearest_neighbours
from benchmarks.runs import Bench, Experiment, kitchen_experiments
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.data.sequence import select
from cl_localization.data.trajectory import nearest_index
from cl_localization.evaluation.records import is_wrong
from cl_localization.evaluation.run import image_only
from cl_localization.evaluation.summary import percent_within
from cl_localization.geometry.se3 import pose_error

HEADERS = ("frames", "how", "queries", "5 cm/5 deg [%]", "20 cm/10 deg [%]", "median [cm]", "median [deg]", "wrong",
           "an image [ms]", "over ours", "map [MB]")
BOUNDS = ((0.05, 5.0), (0.20, 10.0))

RETRIEVED = {"nearest neighbours": (5, 10), "LighterGlue": (5,)}
"""Keyframes that an image is matched with; LighterGlue takes most of a second for each."""

THRESHOLD_PX = 8.0
"""Chosen on these queries: with 4 and 12 px the rates are the same, and with 4 px it takes longer."""

Localize = Callable[[Frame], np.ndarray | None]


@dataclass(frozen=True)
class PeerRun:
    """One row: queries and how well they were localized.

    Attributes:
        within_percent: share of all queries within each of `BOUNDS`.
        median_cm, median_deg: over the queries with a pose that is taken for right; None without any.
        wrong: poses taken for right that would mislead a robot.
        image_ms: processor time, the median where images are localized one by one.
        map_bytes: None where it is not known.
    """

    frames: str
    how: str
    queries: int
    within_percent: tuple[float, float]
    median_cm: float | None
    median_deg: float | None
    wrong: int
    image_ms: float
    map_bytes: int | None

    def row(self, ours_ms: float) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        medians = ("-" if value is None else f"{value:.2f}" for value in (self.median_cm, self.median_deg))
        size = "-" if self.map_bytes is None else f"{self.map_bytes / 1e6:.1f}"
        return (self.frames, self.how, str(self.queries), *(f"{share:.1f}" for share in self.within_percent), *medians,
                str(self.wrong), f"{self.image_ms:.0f}", f"{self.image_ms / ours_ms:.1f}", size)


def peers_table(bench: Bench, kitchen: str, every: int) -> BenchTable:
    """Return the table of the near and far queries of RedKitchen, of which one in `every` is asked for."""
    rows, results, followed, matchers = [], [], orb_slam3.followed(kitchen), _matchers()
    for experiment in kitchen_experiments(kitchen)[:2]:
        runs = recipe_runs(bench, experiment, every, matchers)
        if followed is not None:
            runs.append(followed_run(followed, experiment, kitchen, every))
        rows += [run.row(runs[0].image_ms) for run in runs]
        results += [asdict(run) for run in runs]
    return BenchTable("other recipes on the same images, processor time", HEADERS, rows, results={"peers": results})


def recipe_runs(bench: Bench, experiment: Experiment, every: int, matchers: dict[str, Matcher]) -> list[PeerRun]:
    """Return the rows of ours and of hloc's recipe with each matcher; images are shown to all one after the other."""
    mapping, queries = experiment.open()
    frames = list(image_only(select(queries, range(0, len(queries), every))))
    bench.run(Experiment(experiment.name, lambda: (mapping, None), experiment.use_depth))
    recipe = PlainRecipe(mapping, bench.localizer.encoder, use_depth=True)
    sizes = {"ours": bench.outcomes[-1].file_bytes}
    ways: dict[str, Localize] = {"ours": lambda frame: _accepted(bench, frame)}
    for name, match in matchers.items():
        for count in RETRIEVED[name]:
            sizes[f"{name}, {count} keyframes"] = recipe.map_bytes
            ways[f"{name}, {count} keyframes"] = _way(recipe, match, count)
    found: dict[str, list[np.ndarray | None]] = {name: [] for name in ways}
    spent_s: dict[str, list[float]] = {name: [] for name in ways}
    for frame in tracked(frames, len(frames), f"peers, {experiment.name}"):
        for name, localize in ways.items():
            started_s = time.process_time()
            found[name].append(localize(frame))
            spent_s[name].append(time.process_time() - started_s)
    truth = [frame.world_T_cam for frame in frames]
    return [scored(experiment.name, name, truth, found[name], 1e3 * float(np.median(spent_s[name])), sizes[name])
            for name in ways]


def _accepted(bench: Bench, frame: Frame) -> np.ndarray | None:
    found = bench.localizer.localize(frame)
    return found.world_T_cam if found.accepted else None


def _way(recipe: PlainRecipe, match: Matcher, count: int) -> Localize:
    return lambda frame: recipe.localize(frame, match, count, THRESHOLD_PX)


def _matchers() -> dict[str, Matcher]:
    matchers: dict[str, Matcher] = {"nearest neighbours": nearest_neighbours}
    if find_spec("kornia") is not None:
        from benchmarks.lighter_glue import LighterGlue

        matchers["LighterGlue"] = LighterGlue()
    return matchers


def scored(frames: str, how: str, truth: list[np.ndarray], found: list[np.ndarray | None], image_ms: float,
           map_bytes: int | None) -> PeerRun:
    """Return the row of poses (4, 4) found for queries with true poses (4, 4)."""
    errors = np.array([pose_error(pose, true) for pose, true in zip(found, truth) if pose is not None]).reshape(-1, 2)
    medians = (100 * float(np.median(errors[:, 0])), float(np.median(errors[:, 1]))) if len(errors) else (None, None)
    within = percent_within(errors, BOUNDS[0], len(truth)), percent_within(errors, BOUNDS[1], len(truth))
    return PeerRun(frames, how, len(truth), within, *medians, sum(is_wrong(*error) for error in errors.tolist()),
                   image_ms, map_bytes)


def followed_run(followed: Followed, experiment: Experiment, kitchen: str, every: int) -> PeerRun:
    """Return the row of ORB-SLAM3, its poses laid over the true ones by the mapped frames."""
    mapping, queries = experiment.open()
    found, trajectory = {}, followed.trajectory
    for frame in open_sequence(kitchen):
        if (nearest := nearest_index(trajectory.stamps_ns, frame.stamp_ns, SAME_FRAME_NS)) is not None:
            found[frame.stamp_ns] = trajectory.poses[nearest]
    true_T_found = _laid_over(*(np.array(poses) for poses in zip(*(
        (found[frame.stamp_ns], frame.world_T_cam) for frame in mapping if frame.stamp_ns in found))))
    truth = {frame.stamp_ns: frame.world_T_cam for frame in select(queries, range(0, len(queries), every))}
    poses = [true_T_found @ found[stamp_ns] if stamp_ns in found else None for stamp_ns in truth]
    return scored(experiment.name, "ORB-SLAM3 with depth, follows all frames", list(truth.values()), poses,
                  followed.image_ms, None)


def _laid_over(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the motion (4, 4) that lays poses (N, 4, 4) over the true ones: in the mean of the rotations first, as
    positions on a short way tell it badly."""
    u, _, vt = np.linalg.svd((true[:, :3, :3] @ np.swapaxes(found[:, :3, :3], 1, 2)).sum(axis=0))
    motion = np.eye(4)
    motion[:3, :3] = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    motion[:3, 3] = (true[:, :3, 3] - found[:, :3, 3] @ motion[:3, :3].T).mean(axis=0)
    return motion
