"""The table `faults` of `bench`: mistakes that users make with poses, cameras and depth, and whether the map warns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.encoders import RememberingEncoder
from benchmarks.table import BenchTable
from cl_localization.cli.progress import tracked
from cl_localization.config import MapperConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.evaluation.run import map_frames
from cl_localization.features.shared import shared_encoder
from cl_localization.geometry import se3
from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM
from cl_localization.mapper import Mapper
from cl_localization.mapping.audit.health import MapHealth

HEADERS = ("map", "given", "warned", "fits the poses [%]", "places again [%]", "depth ratio", "seen once [%]",
           "innovation", "moved [m]")
HOUSES = 3
ROOM, DRIFTING, HOUSE = "sim:{seed}?rooms=1", "sim:{seed}?drift=6", "sim:{seed}"
RIGHT_SETS = {"kitti_1": "kitti_1/map", "terrace": "terrace/map"}

BASE_T_CAM = FORWARD_BASE_T_CAM @ np.array([[1.0, 0, 0, 0], [0, 1, 0, -0.9], [0, 0, 1, 0.2], [0, 0, 0, 1]])
"""A camera 0.9 m above the floor and 0.2 m before the middle of its robot."""


@dataclass(frozen=True)
class Fault:
    """One mistake.

    Attributes:
        bend: returns a frame as it is read with this mistake.
        needs_depth: whether it is one of the depth.
    """

    name: str
    bend: Callable[[Frame], Frame]
    needs_depth: bool = False


def posed(bend: Callable[[np.ndarray], np.ndarray]) -> Callable[[Frame], Frame]:
    """Return what bends the poses (4, 4) of frames."""
    return lambda frame: replace(frame, world_T_cam=bend(frame.world_T_cam))


def seen_by(focal_factor: float, shift: float = 0.0) -> Callable[[Frame], Frame]:
    """Return what gives frames another camera: focal length times a factor, principal point moved by a share of the
    width."""
    def bent(frame: Frame) -> Frame:
        camera = frame.camera
        return replace(frame, camera=replace(camera, fx_px=focal_factor * camera.fx_px,
                                             fy_px=focal_factor * camera.fy_px,
                                             cx_px=camera.cx_px + shift * camera.width_px))
    return bent


def measuring(factor: float) -> Callable[[Frame], Frame]:
    """Return what multiplies the depth of frames."""
    return lambda frame: replace(frame, depth_m=None if frame.depth_m is None else factor * frame.depth_m)


def with_w_first(world_T_cam: np.ndarray) -> np.ndarray:
    """Return a pose whose quaternion is written w x y z and read as x y z w."""
    position_m, quat_xyzw = se3.to_quaternion(world_T_cam)
    return se3.from_quaternion(position_m, np.roll(quat_xyzw, 1))


def by_odometry(frame: Frame) -> Frame:
    """Return a frame whose pose is that of its odometry."""
    return replace(frame, world_T_cam=frame.odom_T_cam)


RIGHT = Fault("all right", lambda frame: frame)
FAULTS = (
    Fault("depth in mm, read as 1/5000 m", measuring(0.2), needs_depth=True),
    Fault("focal length 15 % too long", seen_by(1.15)),
    Fault("focal length 15 % too short", seen_by(0.85)),
    Fault("calibration of another camera", seen_by(0.93, 0.06)),
    Fault("camera axes of OpenGL", posed(lambda world_T_cam: world_T_cam @ np.diag([1.0, -1.0, -1.0, 1.0]))),
    Fault("quaternions w first", posed(with_w_first)),
    Fault("world-to-camera poses", posed(se3.inverse)),
    Fault("image frame not optical", posed(lambda world_T_cam: world_T_cam @ se3.inverse(FORWARD_BASE_T_CAM))),
    Fault("odometry of the robot's base", posed(lambda world_T_cam: world_T_cam @ se3.inverse(BASE_T_CAM))),
)
FAULTS_OF_POSES = tuple(fault for fault in FAULTS if not fault.needs_depth)[3:6]
DRIFT = Fault("odometry that drifts", by_odometry)
SECOND_RIGHT = "second session, all right"
MOVED_M = 0.6
OTHER_FRAME = Fault("second session in another frame",
                    posed(lambda world_T_cam: world_T_cam + np.outer([MOVED_M, 0, 0, 0], [0, 0, 0, 1])))


@dataclass(frozen=True)
class FaultRun:
    """One row: what was mapped, with which mistake, and the health of the map."""

    place: str
    fault: str
    health: MapHealth

    def row(self) -> tuple[str, ...]:
        """Return the cells, in the order of `HEADERS`."""
        health = self.health
        figures = ((health.matches_agree_percent, ".0f"), (health.places_again_agree_percent, ".0f"),
                   (health.depth_over_triangulated, ".2f"), (health.codes_seen_once_percent, ".0f"),
                   (health.pose_innovation_factor, ".1f"), (health.keyframes_moved_m, ".3f"))
        return (self.place, self.fault, "yes" if health.warnings else "no",
                *("-" if value is None else format(value, spec) for value, spec in figures))

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {"place": self.place, "fault": self.fault, **self.health.to_json()}


def run_faults(data: Path | None, kitchen: str | None, seed: int, config: MapperConfig) -> Iterator[FaultRun]:
    """Yield one row a map: those with a mistake, then right ones.

    Args:
        data: folder of further right sets, of which those that are there are mapped.
        kitchen: the RedKitchen sequence; None leaves it out.
        seed: of the first simulated house.
    """
    room = ROOM.format(seed=seed)
    yield from run_set(f"room {seed}", room, (*FAULTS, RIGHT), config)
    if kitchen is not None:
        yield from run_set("kitchen", kitchen, (*FAULTS, RIGHT), config)
    for place, spec in ((f"room {seed}", room), *([("kitchen", kitchen)] if kitchen is not None else [])):
        yield from run_sessions(place, spec, config)
    yield from run_set(f"house {seed}", DRIFTING.format(seed=seed), (DRIFT,), config)
    yield from run_set(f"room {seed}, no depth", room, (*FAULTS_OF_POSES, RIGHT), config, use_depth=False)
    for number in range(seed, seed + HOUSES):
        yield from run_set(f"house {number}", HOUSE.format(seed=number), (RIGHT,), config)
    for name, path in RIGHT_SETS.items():
        if data is not None and (data / path).is_dir():
            yield from run_set(name, str(data / path), (RIGHT,), config, use_depth=False)


def run_set(place: str, spec: str, faults: Iterable[Fault], config: MapperConfig,
            use_depth: bool = True) -> Iterator[FaultRun]:
    """Yield what maps of a sequence say of themselves, one a mistake; every image is encoded once."""
    sequence, encoder = open_sequence(spec), RememberingEncoder(shared_encoder(config.encoder))
    for fault in faults:
        indices = tracked(range(len(sequence)), len(sequence), f"mapping {place}, {fault.name}")
        mapper = Mapper(config, encoder)
        map_frames(mapper, (fault.bend(sequence[index]) for index in indices), use_depth)
        yield FaultRun(place, fault.name, mapper.examine())


def run_sessions(place: str, spec: str, config: MapperConfig) -> Iterator[FaultRun]:
    """Yield what a map of every second frame says of itself once the frames between extended it: in another frame, and
    in its own."""
    sequence, encoder = open_sequence(spec), RememberingEncoder(shared_encoder(config.encoder))
    for name, bend in ((OTHER_FRAME.name, OTHER_FRAME.bend), (SECOND_RIGHT, RIGHT.bend)):
        first = Mapper(config, encoder)
        map_frames(first, (sequence[index] for index in tracked(range(0, len(sequence), 2), len(sequence) // 2,
                                                                f"mapping {place}")))
        first.examine()
        second = Mapper(config, encoder, first.map_code.fork())
        map_frames(second, (bend(sequence[index]) for index in tracked(range(1, len(sequence), 2), len(sequence) // 2,
                                                                       f"mapping {place}, {name}")))
        yield FaultRun(place, name, second.examine())


def fault_table(data: Path | None, kitchen: str | None, seed: int, config: MapperConfig) -> BenchTable:
    """Return the table of `run_faults`."""
    runs = list(run_faults(data, kitchen, seed, config))
    warned = [bool(one.health.warnings) for one in runs]
    right = [one.fault in (RIGHT.name, SECOND_RIGHT) for one in runs]
    sentence = (f"{sum(w and not r for w, r in zip(warned, right))} of {right.count(False)} maps with a mistake warn, "
                f"{sum(w and r for w, r in zip(warned, right))} of {right.count(True)} right ones.")
    return BenchTable("Mistakes in what is given with images", HEADERS, [one.row() for one in runs], sentence,
                      {"faults": [one.to_json() for one in runs]})
