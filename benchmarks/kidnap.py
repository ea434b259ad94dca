"""The kidnappings of `bench`: a house of six rooms is mapped, and a robot is carried about in it again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.kidnapping import IMAGES_HZ, KidnapSummary, carried, followed, judged, look, stretches
from benchmarks.runs import Bench, Experiment
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import TrackerConfig
from cl_localization.data import open_sequence

if TYPE_CHECKING:
    from cl_localization.data.frame import Frame

ROOMS = 6
MAPPING_FRAMES_A_ROOM = 80
STRETCH_FRAMES = 10
"""One second of images."""

FLOW_HZ, LOOK_S = 30.0, 0.1
"""With flow, images come at this rate, and a full localization takes this long."""

HEADERS = ("house of six rooms", "kidnappings", "recovered within 1 s", "wrong poses trusted", "median [s]",
           "longest [s]", "images")


@dataclass(frozen=True)
class KidnapRun:
    """One row: what the tracker was given, and what came of it."""

    name: str
    summary: KidnapSummary

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        found = self.summary
        times = [f"{time_s:.1f}" if time_s is not None else "-" for time_s in (found.median_s, found.longest_s)]
        return self.name, str(found.kidnappings), str(found.in_time), str(found.wrong), *times, str(found.images)

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"name": self.name, **asdict(self.summary)}


def run_kidnappings(bench: Bench, tracker: TrackerConfig, seed: int, count: int) -> list[KidnapRun]:
    """Map the house with `bench` and return one row for each thing the robot may have."""
    bench.run(Experiment("house of six rooms", lambda: (
        open_sequence(f"sim:{seed}?rooms={ROOMS}&path=mapping&frames={MAPPING_FRAMES_A_ROOM * ROOMS}"), None)))
    runs, by_flow = [], []
    for source, odometry in (("odometry", True), ("no odometry", False)):
        bench.localizer.reset()
        seen = look(bench.localizer, shown(seed, count, odometry))
        runs += [KidnapRun(f"{images}, {source}", judged(seen, tracker, every))
                 for images, every in (("every image", 1), ("every third image", 3))]
        bench.localizer.reset()
        summary = followed(bench.localizer, shown(seed, count, odometry, FLOW_HZ), tracker, LOOK_S)
        by_flow.append(KidnapRun(f"30 Hz with flow, {source}", summary))
    return runs + by_flow


def kidnap_table(bench: Bench, tracker: TrackerConfig, seed: int, count: int) -> BenchTable:
    """Return the table of `run_kidnappings`."""
    runs = run_kidnappings(bench, tracker, seed, count)
    return BenchTable("kidnappings", HEADERS, [one.row() for one in runs],
                      results={"kidnappings": [one.to_json() for one in runs]})


def shown(seed: int, count: int, odometry: bool, hz: float = IMAGES_HZ) -> Iterator[tuple[int, Frame]]:
    """Yield the frames of all stretches with progress."""
    frames = round(STRETCH_FRAMES * hz / IMAGES_HZ)
    images = carried(stretches(seed, ROOMS, count, frames, hz), 1 / hz, odometry)
    yield from tracked(images, count * frames, "kidnappings")
