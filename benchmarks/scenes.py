"""The table `scenes` of `bench`: one map of many rooms, and whether it costs more, or confuses more, than a map of
one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import numpy as np

from benchmarks.runs import splitter
from benchmarks.splits import near
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.evaluation.records import is_wrong
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localization.result import Localization
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.places.map_places import MapPlaces

ROOMS = 8
WARM_UP_IMAGES = 5
"""Images of a drive before its scene must be known."""

HEADERS = ("room", "codes", "images", "right scene [%]", "by the images alone [%]", "poses accepted [%]", "wrong",
           "one room [ms]",
           "all rooms [ms]", "ratio", "contradicted")
TITLE = "One map of {} rooms, against maps of one room each; processor time of an image, encoding included"


@dataclass(frozen=True)
class RoomResult:
    """What came of the queries in one room.

    Attributes:
        images: queries, the first ones of the drive included.
        scene_right, alone_right: of the images after the first ones, those whose scene was right: as `~/place` tells
            it, and by the images alone, before any pose.
        later: images after the first ones.
        accepted, wrong: poses accepted in the map of all rooms; those of them that are wrong.
        one_ms, all_ms: mean processor time an image in the room's own map, and in that of all rooms.
        contradicted: right poses that the places contradicted.
    """

    name: str
    codes: int
    images: int
    scene_right: int
    alone_right: int
    later: int
    accepted: int
    wrong: int
    one_ms: float
    all_ms: float
    contradicted: int

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        shares = [100 * part / max(whole, 1) for part, whole in ((self.scene_right, self.later),
                                                                 (self.alone_right, self.later),
                                                                 (self.accepted, self.images))]
        return (self.name, f"{self.codes:,}", str(self.images), *(f"{share:.1f}" for share in shares), str(self.wrong),
                f"{self.one_ms:.1f}", f"{self.all_ms:.1f}", f"{self.all_ms / self.one_ms:.2f}", str(self.contradicted))


def scenes_tables(kitchen: str | None, mapper: MapperConfig, localizer: LocalizerConfig,
                  rooms: int = ROOMS) -> list[BenchTable]:
    """Return the table.

    Args:
        kitchen: the RedKitchen sequence; None leaves the real room out.
        rooms: simulated rooms; all lie in the same coordinates.
    """
    shown = {f"room {seed}": lambda seed=seed: (open_sequence(f"sim:{seed}?rooms=1&path=mapping"),
                                               open_sequence(f"sim:{seed}?rooms=1&path=tracking"))
             for seed in range(1, rooms + 1)}
    if kitchen is not None:
        shown = {"kitchen": splitter(kitchen, near), **shown}
    singles, everything = map_rooms({name: opened()[0] for name, opened in shown.items()}, mapper)
    results = [tried(name, opened()[1], singles[name], everything, localizer) for name, opened in shown.items()]
    results.append(together(results))
    return [BenchTable(TITLE.format(len(shown)), HEADERS, [result.row() for result in results],
                       results={"scenes": [asdict(result) for result in results]})]


def map_rooms(rooms: dict[str, Sequence], config: MapperConfig) -> tuple[dict[str, MapCode], MapCode]:
    """Map each room into a map of its own and all into one, each a scene; every image is encoded once."""
    encoder = shared_encoder(config.encoder)
    everything = Mapper(config, encoder)
    singles = {}
    for name, sequence in rooms.items():
        single = Mapper(replace(config, scene=name), encoder)
        everything.use_scene(name)
        for frame in tracked(sequence, len(sequence), f"mapping {name}"):
            single.add(frame)
            everything.add(frame)
        singles[name] = single.map_code
    return singles, everything.map_code


def tried(name: str, queries: Sequence, single: MapCode, everything: MapCode, config: LocalizerConfig) -> RoomResult:
    """Localize the queries of a room in its own map and in that of all rooms, as a robot that was just carried there
    would.

    The images before, from the end of the drive, pay for the clusters of the search.
    """
    encoder = shared_encoder(config.encoder)
    frames = [queries[index] for index in range(len(queries))]
    localizers = [Localizer(map_code, config, encoder) for map_code in (single, everything)]
    alone = MapPlaces(everything, config.place)
    one_s, _ = timed(localizers[0], frames)
    all_s, found = timed(localizers[1], frames)
    features = [encoder.encode(frame.image) for frame in frames]
    looks = [alone.recognize(one, frame.odom_T_cam).places for one, frame in zip(features, frames)]
    later = range(WARM_UP_IMAGES - 1, len(frames))
    errors = [pose_error(one.world_T_cam, frame.world_T_cam) for one, frame in zip(found, frames) if one.accepted]
    checks = [one.place_check for one in found]
    scene_right = sum(found[index].place is not None and found[index].place.scene == name for index in later)
    return RoomResult(
        name=name, codes=len(single), images=len(frames), scene_right=scene_right,
        alone_right=sum(bool(looks[index]) and looks[index][0].scene == name for index in later), later=len(later),
        accepted=len(errors), wrong=sum(is_wrong(*error) for error in errors), one_ms=1000 * one_s,
        all_ms=1000 * all_s, contradicted=sum(check not in ("", "agrees") for check in checks))


def timed(localizer: Localizer, frames: list[Frame]) -> tuple[float, list[Localization]]:
    """Return the mean processor time of localizing a frame [s], and what was found. The last frames come first, and are
    not counted."""
    for frame in frames[-WARM_UP_IMAGES:]:
        localizer.localize(frame)
    found, times_s = [], []
    for frame in frames:
        start_s = time.process_time()
        found.append(localizer.localize(frame))
        times_s.append(time.process_time() - start_s)
    return float(np.mean(times_s)), found


def together(results: Iterable[RoomResult]) -> RoomResult:
    """Return the row of all rooms; times are means over all images."""
    results = list(results)
    counts = {name: sum(getattr(result, name) for result in results)
              for name in ("codes", "images", "scene_right", "alone_right", "later", "accepted", "wrong",
                           "contradicted")}
    images = counts["images"]
    one_ms, all_ms = (sum(getattr(result, name) * result.images for result in results) / images
                      for name in ("one_ms", "all_ms"))
    return RoomResult(name="all", one_ms=one_ms, all_ms=all_ms, **counts)
