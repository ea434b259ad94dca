"""The table `furniture` of `bench`: rooms are mapped, then all of their furniture is moved; walls, doors and pictures
stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from benchmarks.encoders import RememberingEncoder
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.evaluation.records import is_wrong
from cl_localization.evaluation.run import map_frames
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper

ROOMS, QUERIES = 6, 60
HEADERS = ("room", "moved", "odometry", "images", "accepted", "wrong", "wrong of accepted [%]")
TITLE = "Images of rooms after their furniture was moved; wrong: off by 0.5 m or 10 deg"


@dataclass(frozen=True)
class FurnitureRun:
    """One row: images of a room, accepted poses, and those of them that are wrong."""

    room: str
    moved: bool
    odometry: bool
    images: int
    accepted: int
    wrong: int

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        yes = {True: "yes", False: "no"}
        return (self.room, yes[self.moved], yes[self.odometry], str(self.images), str(self.accepted), str(self.wrong),
                f"{100 * self.wrong / max(self.accepted, 1):.1f}")


def furniture_runs(seed: int, mapper: MapperConfig, localizer: LocalizerConfig, rooms: int = ROOMS,
                   queries: int = QUERIES) -> Iterator[FurnitureRun]:
    """Yield the rows of simulated rooms from `seed` on, without and with odometry."""
    for number in range(seed, seed + rooms):
        encoder = RememberingEncoder(shared_encoder(mapper.encoder))
        made = Mapper(mapper, encoder)
        sequence = open_sequence(f"sim:{number}?rooms=1")
        map_frames(made, tracked(sequence, len(sequence), f"mapping room {number}"))
        for moved in (False, True):
            shown = open_sequence(f"sim:{number}?rooms=1&path=tracking&frames={queries}&moved={int(moved)}")
            frames = [replace(frame, depth_m=None) for frame in tracked(shown, len(shown), f"room {number}")]
            for odometry in (False, True):
                finder = Localizer(made.map_code, localizer, encoder)
                yield _counted(finder, frames if odometry else _without_odometry(frames), f"room {number}", moved,
                               odometry)


def _without_odometry(frames: list[Frame]) -> list[Frame]:
    return [replace(frame, odom_T_cam=None) for frame in frames]


def _counted(localizer: Localizer, frames: list[Frame], room: str, moved: bool, odometry: bool) -> FurnitureRun:
    errors = [pose_error(found.world_T_cam, frame.world_T_cam) for frame in frames
              if (found := localizer.localize(frame)).accepted]
    return FurnitureRun(room, moved, odometry, len(frames), len(errors), sum(is_wrong(*error) for error in errors))


def together(runs: list[FurnitureRun]) -> list[FurnitureRun]:
    """Return the sums over rooms."""
    sums = []
    for moved, odometry in ((False, False), (False, True), (True, False), (True, True)):
        chosen = [one for one in runs if (one.moved, one.odometry) == (moved, odometry)]
        counts = np.array([(one.images, one.accepted, one.wrong) for one in chosen]).reshape(-1, 3).sum(axis=0)
        sums.append(FurnitureRun("all", moved, odometry, *counts.tolist()))
    return sums


def furniture_table(seed: int, mapper: MapperConfig, localizer: LocalizerConfig) -> BenchTable:
    """Return the table of `furniture_runs`, and of all rooms together."""
    runs = list(furniture_runs(seed, mapper, localizer))
    runs += together(runs)
    results: dict[str, Any] = {"furniture": [asdict(one) for one in runs]}
    return BenchTable(TITLE, HEADERS, [one.row() for one in runs], results=results)
