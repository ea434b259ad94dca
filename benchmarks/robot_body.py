"""The table `body` of `bench`: the robot's own body in the lower part of every image, in the right building and in
others, where the robot is parked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.encoders import RememberingEncoder
from benchmarks.runs import splitter
from benchmarks.splits import near
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig, MaskConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.evaluation.records import is_wrong
from cl_localization.evaluation.run import map_frames
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.tracking.tracker import Tracker

HEADERS = ("map", "body [%]", "depth", "left out by", "right building: accepted", "wrong",
           "parked in others: trusted", "of", "largest support")
TITLE = "The robot's own body in the lower part of every image"

BODY_FROM, BODY_FRAME = "sim:77?rooms=1&frames=20", 7
"""An image of another place stands for the body: it has as many features as the scene."""

BODY_DEPTHS_M = (0.9, 0.5)
"""Depth of the body at its upper edge and at the image's lower one."""

NOISE = 1.5
"""Of the body's image, standard deviation in grey levels."""

OTHER_HOUSES, FIRST_OTHER = 10, 100
KITCHEN_SHARE = 4
"""In RedKitchen's map only each so many of the places is tried: its images are large."""

IMAGES_WHILE_PARKED, PERIOD_NS = 2, 10**8
NOBODY, DETECTED, MASKED = "nothing", "detection", "mask"


@dataclass(frozen=True)
class Body:
    """What of the images is body.

    Attributes:
        share: of the image's height.
    """

    share: float

    def mask(self, width_px: int, height_px: int) -> np.ndarray:
        """Return the mask (H, W) uint8 that hides the body."""
        mask = np.full((height_px, width_px), 255, np.uint8)
        mask[self._top(height_px):] = 0
        return mask

    def before(self, frame: Frame, looks: np.ndarray, seed: int) -> Frame:
        """Return a frame in whose lower part there is the body, of an image (H, W, 3)."""
        height, width = frame.image.shape[:2]
        image, top = frame.image.copy(), self._top(height)
        body = cv2.resize(looks, (width, height), interpolation=cv2.INTER_CUBIC)[top:]
        noise = np.random.default_rng([seed, frame.stamp_ns % 2**32]).normal(0, NOISE, body.shape)
        image[top:] = np.clip(np.rint(body + noise), 0, 255)
        depth_m = frame.depth_m
        if depth_m is not None:
            depth_m = depth_m.copy()
            depth_m[top:] = np.linspace(*BODY_DEPTHS_M, height - top)[:, None]
        return replace(frame, image=image, depth_m=depth_m)

    def _top(self, height_px: int) -> int:
        return round(height_px * (1 - self.share))


@dataclass(frozen=True)
class BodyRun:
    """One row.

    Attributes:
        place: that was mapped.
        body_percent: of the image's height.
        depth: whether the map was made with depth, also of the body.
        how: the body is left out: by nothing, detection or a mask.
        queries, accepted, wrong: in the right building.
        parked, trusted: places in other buildings, and those where a pose was trusted.
        largest_support: of a pose in another building.
    """

    place: str
    body_percent: float
    depth: bool
    how: str
    queries: int
    accepted: int
    wrong: int
    parked: int
    trusted: int
    largest_support: float

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        depth = "yes" if self.depth else "no"
        return (self.place, f"{self.body_percent:.0f}", depth, self.how, f"{self.accepted} of {self.queries}",
                str(self.wrong), str(self.trusted), str(self.parked), f"{self.largest_support:.1f}")


class BodyBench:
    """Maps and localizes with a body in the images, each of which is encoded once."""

    def __init__(self, mapper: MapperConfig, localizer: LocalizerConfig, places: int) -> None:
        """Park the robot at so many places of other buildings."""
        self._mapper, self._localizer, self._places = mapper, localizer, places
        self._encoder = RememberingEncoder(shared_encoder(mapper.encoder))
        self._others: dict[str, list[Frame]] = {}
        self._looks = open_sequence(BODY_FROM)[BODY_FRAME].image

    def run(self, place: str, mapping: Sequence, queries: Sequence, body: Body, how: str, use_depth: bool = True,
            size: str = "320x240", places_share: int = 1) -> BodyRun:
        """Return the row of a map."""
        with tempfile.TemporaryDirectory(prefix="cl_localization-bench-") as folder:
            mask = self._mask_config(how, body, size, Path(folder))
            mapper = Mapper(replace(self._mapper, mask=mask), self._encoder)
            map_frames(mapper, self._shown(mapping, body, f"mapping {place}, {how}"), use_depth)
            localizer = Localizer(mapper.map_code, replace(self._localizer, mask=mask), self._encoder)
            found = [(localizer.localize(replace(frame, depth_m=None)), frame.world_T_cam)
                     for frame in self._shown(queries, body, f"localizing, {place}")]
            elsewhere = self._elsewhere(size, self._places // places_share)
            parked = [self._parked(localizer, frame, body)
                      for frame in tracked(elsewhere, len(elsewhere), f"parked in other buildings, {how}")]
        accepted = [pose_error(one.world_T_cam, truth) for one, truth in found if one.accepted]
        return BodyRun(place, 100 * body.share, use_depth, how, len(found), len(accepted),
                       sum(is_wrong(*error) for error in accepted), len(parked),
                       sum(is_trusted for is_trusted, _ in parked), max(support for _, support in parked))

    def _mask_config(self, how: str, body: Body, size: str, folder: Path) -> MaskConfig:
        if how != MASKED:
            return MaskConfig(detect=how == DETECTED)
        width_px, height_px = (int(side) for side in size.split("x"))
        cv2.imwrite(str(folder / "mask.png"), body.mask(width_px, height_px))
        return MaskConfig(file=str(folder / "mask.png"), detect=False)

    def _shown(self, sequence: Sequence, body: Body, label: str) -> Iterator[Frame]:
        for frame in tracked(sequence, len(sequence), label):
            yield body.before(frame, self._looks, seed=0)

    def _elsewhere(self, size: str, places: int) -> list[Frame]:
        """Return frames at so many places of other buildings; they are rendered once."""
        if size not in self._others:
            houses = [open_sequence(f"sim:{FIRST_OTHER + number}?rooms=1&path=tracking&size={size}"
                                    f"&frames={-(-places // OTHER_HOUSES)}") for number in range(OTHER_HOUSES)]
            self._others[size] = [replace(frame, depth_m=None) for house in houses for frame in house]
        return self._others[size]

    def _parked(self, localizer: Localizer, frame: Frame, body: Body) -> tuple[bool, float]:
        """Return whether a robot that starts and stays here trusts a pose, and the largest support."""
        localizer.reset()
        tracker, support, is_trusted = Tracker(), 0.0, False
        for number in range(IMAGES_WHILE_PARKED):
            shown = replace(body.before(frame, self._looks, number), stamp_ns=frame.stamp_ns + number * PERIOD_NS)
            found = localizer.localize(shown)
            support = max(support, found.support)
            is_trusted = tracker.update(found, shown.odom_T_cam).trusted or is_trusted
        return is_trusted, support


def body_runs(kitchen: str | None, seed: int, places: int, mapper: MapperConfig,
              localizer: LocalizerConfig) -> Iterator[BodyRun]:
    """Yield the rows.

    Args:
        kitchen: the RedKitchen sequence; None leaves it out.
        seed: of the simulated house.
        places: in other buildings, where the robot is parked.
    """
    bench = BodyBench(mapper, localizer, places)
    house = open_sequence(f"sim:{seed}?rooms=1"), open_sequence(f"sim:{seed}?rooms=1&path=tracking&frames=60")
    for how, use_depth in ((NOBODY, True), (DETECTED, True), (MASKED, True), (DETECTED, False)):
        yield bench.run(f"room {seed}", *house, Body(0.3), how, use_depth)
    if kitchen is not None:
        for how in (NOBODY, DETECTED):
            yield bench.run("kitchen near", *splitter(kitchen, near)(), Body(0.3), how, size="640x480",
                            places_share=KITCHEN_SHARE)


def body_table(kitchen: str | None, seed: int, places: int, mapper: MapperConfig,
               localizer: LocalizerConfig) -> BenchTable:
    """Return the table of `body_runs`."""
    runs = list(body_runs(kitchen, seed, places, mapper, localizer))
    results: dict[str, Any] = {"body": [asdict(one) for one in runs]}
    return BenchTable(TITLE, HEADERS, [one.row() for one in runs], results=results)
