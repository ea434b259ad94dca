"""Mapping with own poses in `bench`: how far they are from the truth, what was posed, and how quickly."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.options import SlamBenchConfig
from benchmarks.slam_afterwards import afterwards_tables
from benchmarks.slam_figure import draw_trajectories
from benchmarks.slam_peers import peer_runs
from benchmarks.slam_run import HEADERS, SlamRun, all_of, scored
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.errors import ConfigError
from cl_localization.evaluation.trajectory_error import path_m, rmse
from cl_localization.geometry import se3
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam

if TYPE_CHECKING:
    from cl_localization.data.frame import Frame, Sequence

HOUSE, SIX_ROOMS, DRIFTING = "sim:{seed}", "sim:{seed}?rooms=6&frames=480", "sim:{seed}?drift=4"
AFTERWARDS, NODE = "afterwards", "node"
TWINS = "sim:{seed}?rooms=3&twins=1&frames=240"
DRIFTING_LITTLE = "sim:{seed}?drift=1.5"
BETWEEN_LAPS_NS = 10**9
CARRIED, STRETCH, COVERED = 20, 40, 20
PERIOD_NS = 10**9 // 15
"""Frames between two carryings, and of a covered lens at each."""


def slam_tables(kitchen: str | None, seed: int, config: SlamBenchConfig, mapper: MapperConfig,
               localizer: LocalizerConfig, figure: Path) -> list[BenchTable]:
    """Return the tables of own poses: RedKitchen where its folder is given, simulated houses, and drifting odometry; on
    the same frames other programs, as far as they are installed. The trajectories are drawn to a file.

    Raises:
        ConfigError: a part that there is not.
    """
    parts, tables = config.parts.split(","), []
    runs = [run for part in parts if part not in (AFTERWARDS, NODE)
            for run in _part(part, kitchen, seed, config.twins, mapper, localizer)]
    if runs:
        draw_trajectories(runs, figure)
        tables.append(BenchTable("mapping with own poses", HEADERS, [run.row() for run in runs],
                                 results={"slam": [run.to_json() for run in runs]}))
    if AFTERWARDS in parts:
        tables += afterwards_tables(kitchen, seed, mapper, localizer)
    if NODE in parts and kitchen is not None:
        from benchmarks.slam_node import node_table

        tables.append(node_table("RedKitchen", kitchen))
    return tables


def _part(part: str, kitchen: str | None, seed: int, twins: int, mapper: MapperConfig,
          localizer: LocalizerConfig) -> list[SlamRun]:
    if part == "kitchen":
        return [] if kitchen is None else _with_peers("RedKitchen", kitchen, mapper, localizer)
    if part == "laps":
        spec = DRIFTING.format(seed=seed)
        return [*two_laps(spec, mapper, localizer), odometry_alone(spec)]
    if part == "carried":
        spec = HOUSE.format(seed=seed)
        return [own_poses(f"{spec}, carried {CARRIED} times", Carried(open_sequence(spec), seed), mapper, localizer)[0]]
    if part == "without_depth":
        return without_depth(kitchen, seed, mapper, localizer)
    if part == "twins":
        return [all_of(f"rooms that look the same, {twins} houses",
                       [own_poses(spec, open_sequence(spec), mapper, localizer)[0]
                        for spec in (TWINS.format(seed=seed + number) for number in range(twins))])]
    if part not in ("house", "six_rooms"):
        raise ConfigError("option slam.parts",
                          "must be of kitchen, house, six_rooms, laps, carried, without_depth, twins, afterwards, node",
                          repr(part))
    spec = (HOUSE if part == "house" else SIX_ROOMS).format(seed=seed)
    return _with_peers(spec, spec, mapper, localizer)


def _with_peers(name: str, spec: str, mapper: MapperConfig, localizer: LocalizerConfig) -> list[SlamRun]:
    return [own_poses(name, open_sequence(spec), mapper, localizer)[0], *peer_runs(name, spec)]


def own_poses(name: str, sequence: Sequence, mapper: MapperConfig, localizer: LocalizerConfig,
              with_odometry: bool = False, slam: Slam | None = None, with_depth: bool = True) -> tuple[SlamRun, Slam]:
    """Return what came of mapping a sequence with own poses, and the SLAM, which may have mapped before."""
    slam = slam or Slam(Mapper(mapper), SlamConfig(), localizer)
    true, start = {}, time.perf_counter()
    for frame in tracked(sequence, len(sequence), f"mapping {name}"):
        true[frame.stamp_ns] = frame.world_T_cam[:3, 3]
        slam.add(replace(frame, world_T_cam=None, odom_T_cam=frame.odom_T_cam if with_odometry else None,
                         depth_m=frame.depth_m if with_depth else None))
    slam.finish()
    seconds = time.perf_counter() - start
    posed = [(stamp_ns, pose[:3, 3]) for stamp_ns, pose in slam.trajectory.poses_of_first_part() if stamp_ns in true]
    return scored(name, true, posed, slam.loops, slam.joined, len(slam.mapper.map_code), len(true) / seconds,
                  with_scale=not (with_depth or with_odometry)), slam


def without_depth(kitchen: str | None, seed: int, mapper: MapperConfig, localizer: LocalizerConfig) -> list[SlamRun]:
    """Return rows of a camera alone, aligned with scale, and of one with odometry, each with what is known otherwise:
    that it is somewhere, or the odometry alone."""
    drifting = DRIFTING_LITTLE.format(seed=seed)
    rows = []
    for name, spec in (("RedKitchen", kitchen), (HOUSE.format(seed=seed),) * 2):
        if spec is not None:
            sequence = open_sequence(spec)
            rows += [own_poses(f"{name}, camera alone", sequence, mapper, localizer, with_depth=False)[0],
                     standing_still(f"{name}, standing still", sequence)]
    with_odometry = own_poses(f"{drifting}, no depth, odometry", open_sequence(drifting), mapper, localizer, True,
                              with_depth=False)[0]
    return [*rows, with_odometry, odometry_alone(drifting)]


def standing_still(name: str, sequence: Sequence) -> SlamRun:
    """Return the row of a camera that is taken to be in the middle of its way all the time."""
    true_m = np.array([sequence.pose(index)[:3, 3] for index in range(len(sequence))])
    errors_m = np.linalg.norm(true_m - true_m.mean(axis=0), axis=1)
    return SlamRun(name, path_m(true_m), len(true_m), len(true_m), 100 * rmse(errors_m), 100 * float(errors_m.max()), 0,
                   0, 0, None)


def two_laps(spec: str, mapper: MapperConfig, localizer: LocalizerConfig) -> list[SlamRun]:
    """Return a row for each of two laps of one way with drifting odometry, the second in the map of the first."""
    sequence = open_sequence(spec)
    first, slam = own_poses(f"{spec}, odometry, lap 1", sequence, mapper, localizer, True)
    lap = SecondLap(sequence)
    return [first, own_poses(f"{spec}, odometry, lap 2", lap, mapper, localizer, True, slam)[0]]


class Carried:
    """A drive that is broken off `CARRIED` times: the lens is covered, and the camera goes on somewhere else."""

    def __init__(self, sequence: Sequence, seed: int) -> None:
        self._sequence = sequence
        starts = np.random.default_rng(seed).integers(0, len(sequence) - STRETCH, CARRIED)
        self._stretches = [range(STRETCH), *(range(start, start + STRETCH) for start in starts.tolist())]

    def __len__(self) -> int:
        return (CARRIED + 1) * (STRETCH + COVERED)

    def __iter__(self) -> Iterator[Frame]:
        indices = [(index, number >= STRETCH) for stretch in self._stretches
                   for number, index in enumerate([*stretch, *[stretch[-1]] * COVERED])]
        for number, (index, covered) in enumerate(indices):
            frame = replace(self._sequence[index], stamp_ns=number * PERIOD_NS)
            yield replace(frame, image=np.zeros_like(frame.image)) if covered else frame


class SecondLap:
    """The frames of a sequence once more, later, with the odometry gone on."""

    def __init__(self, sequence: Sequence) -> None:
        self._sequence = sequence

    def __len__(self) -> int:
        return len(self._sequence)

    def __iter__(self) -> Iterator[Frame]:
        first, last = self._sequence[0], self._sequence[len(self) - 1]
        later_ns = last.stamp_ns - first.stamp_ns + BETWEEN_LAPS_NS
        gone_on = last.odom_T_cam @ se3.inverse(last.world_T_cam) @ first.world_T_cam @ se3.inverse(first.odom_T_cam)
        for frame in self._sequence:
            yield replace(frame, stamp_ns=frame.stamp_ns + later_ns, odom_T_cam=gone_on @ frame.odom_T_cam)


def odometry_alone(spec: str) -> SlamRun:
    """Return the row of what the odometry says by itself."""
    sequence: Any = open_sequence(spec)
    true = {sequence.stamp_ns(index): sequence.pose(index)[:3, 3] for index in range(len(sequence))}
    found_m = (sequence.odom_T_base @ sequence.base_T_cam)[:, :3, 3]
    return scored(f"{spec}, odometry alone", true, list(zip(true, found_m)))
