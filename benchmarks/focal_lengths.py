"""The table `focal` of `bench`: images whose calibration has a wrong focal length, or the right one, in right maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.encoders import RememberingEncoder
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.perturb import perturbed
from cl_localization.evaluation.records import is_wrong
from cl_localization.evaluation.run import map_frames, map_frames_with_own_poses
from cl_localization.features import Encoder
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry.se3 import pose_error
from cl_localization.localizer import Localizer
from cl_localization.map.map_code import MapCode
from cl_localization.mapper import Mapper
from cl_localization.mapping.learned.distillation import compressed
from cl_localization.slam import Slam

HEADERS = ("map", "images", "focal length", "poses", "wrong", "accepted", "wrong of these", "warned at pose",
           "asked for")
RIGHT, SOME_FACTORS, FACTORS = (1.0,), (1.0, 0.85, 1.15), (1.0, 2 / 3, 0.85, 1.15, 4 / 3)
COMPRESSED_BYTES = 100_000
OUTDOORS = ("kitti_1", "terrace")
ROOMS = 2

Learned = Callable[[Iterable[Frame], MapperConfig, Encoder], MapCode]


@dataclass(frozen=True)
class FocalRun:
    """One row: images of one calibration in one map.

    Attributes:
        focal_factor: of the calibration, over the right one.
        poses, wrong_poses: that would be accepted but for the calibration, and how many of these are wrong; None where
            the map's frame is not that of the truth.
        accepted, wrong: the same of poses that were accepted.
        warned_at: number of the first pose that was refused for the calibration, from 1 on; None for none.
        asked_for: factor of the focal length that images asked for, where it was farthest from 1.
    """

    place: str
    images: str
    focal_factor: float
    poses: int
    wrong_poses: int | None
    accepted: int
    wrong: int | None
    warned_at: int | None
    asked_for: float

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        return (self.place, self.images, f"x {self.focal_factor:.2f}", str(self.poses), _text(self.wrong_poses),
                str(self.accepted), _text(self.wrong), _text(self.warned_at), f"x {self.asked_for:.3f}")


def _text(number: int | None) -> str:
    return "-" if number is None else str(number)


def with_depth(frames: Iterable[Frame], config: MapperConfig, encoder: Encoder) -> MapCode:
    """Return the map of frames."""
    mapper = Mapper(config, encoder)
    map_frames(mapper, frames)
    return mapper.map_code


def without_depth(frames: Iterable[Frame], config: MapperConfig, encoder: Encoder) -> MapCode:
    """Return the map of frames, their depth left out."""
    return with_depth((replace(frame, depth_m=None) for frame in frames), config, encoder)


def with_own_poses(frames: Iterable[Frame], config: MapperConfig, encoder: Encoder) -> MapCode:
    """Return the map of frames without depth and poses."""
    mapper = Mapper(config, encoder)
    map_frames_with_own_poses(Slam(mapper), frames, use_depth=False)
    return mapper.map_code


def as_learned_codes(frames: Iterable[Frame], config: MapperConfig, encoder: Encoder) -> MapCode:
    """Return the map of frames with depth, compressed."""
    return compressed(with_depth(frames, config, encoder), COMPRESSED_BYTES)


MAPS: dict[str, Learned] = {"depth": with_depth, "no depth": without_depth, "own poses": with_own_poses,
                            "compressed": as_learned_codes}


def localized(place: str, images: str, map_code: MapCode, queries: Sequence, factors: Iterable[float],
              config: LocalizerConfig, encoder: Encoder, has_truth: bool = True) -> Iterator[FocalRun]:
    """Yield a row for each focal length of the calibration."""
    for factor in factors:
        localizer, wrong, accepted, asked_for = Localizer(map_code, config, encoder), list[bool](), list[bool](), 1.0
        label = f"localizing in {place}, {images}, focal length x {factor:.2f}"
        for index in tracked(range(len(queries)), len(queries), label):
            frame = queries[index]
            found = localizer.localize(replace(frame, camera=frame.camera.with_focal_factor(factor), depth_m=None))
            asked_for = max(asked_for, localizer.calibration.focal_factor, key=lambda factor: abs(np.log(factor)))
            if found.accepted or found.reason == localizer.calibration.problem:
                accepted.append(found.accepted)
                wrong.append(has_truth and is_wrong(*pose_error(found.world_T_cam, frame.world_T_cam)))
        yield FocalRun(place, images, factor, len(wrong), sum(wrong) if has_truth else None, sum(accepted),
                       int(np.count_nonzero(np.array(wrong) & accepted)) if has_truth else None,
                       accepted.index(False) + 1 if False in accepted else None, asked_for)


def run_focal_lengths(data: Path | None, kitchen: str | None, seed: int, mapper: MapperConfig,
                      config: LocalizerConfig) -> Iterator[FocalRun]:
    """Yield all rows.

    Args:
        data: folder of outdoor sets, of which those that are there are used.
        kitchen: the RedKitchen sequence; None leaves it out.
        seed: of the first simulated room.
    """
    places = [] if kitchen is None else [("kitchen", f"{kitchen}[0:100]", f"{kitchen}[0:150:3]{{}}", tuple(MAPS))]
    places += [(f"room {number}", f"sim:{number}?rooms=1", f"sim:{number}?rooms=1&path=tracking{{}}[::2]",
                tuple(MAPS) if number == seed else ("depth", "no depth")) for number in range(seed, seed + ROOMS)]
    places += [(name, f"{data / name / 'map'}", f"{data / name / 'query'}{{}}", ("no depth",)) for name in OUTDOORS
               if data is not None and (data / name).is_dir()]
    for place, mapped, asked, kinds in places:
        encoder, frames = RememberingEncoder(shared_encoder(mapper.encoder)), open_sequence(mapped)
        for kind in kinds:
            indices = tracked(range(len(frames)), len(frames), f"mapping {place}, {kind}")
            map_code = MAPS[kind]((frames[index] for index in indices), mapper, encoder)
            name, has_truth = f"{place}, {kind}", kind != "own poses"
            queries, factors = open_sequence(asked.format("")), FACTORS if "depth" in kind else SOME_FACTORS
            yield from localized(name, "as mapped", map_code, queries, factors, config, encoder, has_truth)
            if kind == kinds[0]:
                blurred = perturbed(queries, ("blur_px=9",))
                yield from localized(name, "blurred", map_code, blurred, RIGHT, config, encoder)
            if kind == kinds[0] and asked.startswith("sim"):
                for images, option in (("640x480", "&size=640x480"), ("furniture moved", "&moved=0.5")):
                    queries = open_sequence(asked.format(option))
                    yield from localized(name, images, map_code, queries, RIGHT, config, encoder)


def focal_table(data: Path | None, kitchen: str | None, seed: int, mapper: MapperConfig,
                config: LocalizerConfig) -> BenchTable:
    """Return the table of `run_focal_lengths`."""
    runs = list(run_focal_lengths(data, kitchen, seed, mapper, config))
    warned = [run.warned_at is not None for run in runs]
    right = [run.focal_factor == 1 for run in runs]
    sentence = (f"{sum(w and not r for w, r in zip(warned, right))} of {right.count(False)} wrong calibrations warn, "
                f"{sum(w and r for w, r in zip(warned, right))} of {right.count(True)} right ones.")
    return BenchTable("Localizing with a wrong focal length", HEADERS, [run.row() for run in runs], sentence,
                      {"focal_lengths": [asdict(run) for run in runs]})
