"""The simulated robot's recording, `sim:SEED?key=value&key=value`: a `Sequence` whose frames are rendered when they are
asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from cl_localization.config import Config, option
from cl_localization.data.frame import Frame
from cl_localization.data.sequence import IndexedSequence
from cl_localization.errors import ConfigError, DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import rotation_from_vector
from cl_localization.simulation.furniture import stand
from cl_localization.simulation.house import House, build_house
from cl_localization.simulation.lighting import LIGHTS
from cl_localization.simulation.paths import PATHS, default_frames
from cl_localization.simulation.renderer import Renderer
from cl_localization.simulation.sensor import Sensor, drifting

MAX_SIDE_PX = 2048


@dataclass(frozen=True)
class SimulationConfig(Config):
    """Keys of a simulated sequence."""

    seed: int = option(0, "The house: same seed, same rooms, furniture and textures.", 0, 2**31 - 1)
    rooms: int = option(2, "Rooms of the house.", 1, 12)
    path: str = option("mapping", "What the robot does: mapping (a round through all rooms, looking to all sides), "
                                  "tracking (another "
                       "way through all rooms), kidnap (stands somewhere, moving slowly).", choices=tuple(PATHS))
    place: int = option(0, "Which of the random places of path=kidnap, or of the random ways of path=tracking.", 0,
                        10**6)
    frames: int = option(0, "Frames on the whole path; 0 takes 140 a room for mapping, 75 a room for tracking, 30 for "
                            "kidnap.", 0, 100000)
    start: int = option(0, "Frames left out at the beginning of the path.", 0, 100000)
    hz: float = option(15.0, "Frames a second.", 0.1, 1000)
    size: str = option("320x240", "Width and height of the images [px].")
    fov: float = option(66.0, "Horizontal field of view [deg].", 20, 120)
    height: float = option(0.9, "Height of the camera above the floor [m].", 0.2, 2.2)
    tilt: float = option(3.0, "Angle by which the camera looks down [deg].", -30, 45)
    roll: float = option(0.0, "Angle by which the camera is rolled clockwise [deg].", -360, 360)
    light: str = option("day", "Time of day.", choices=tuple(LIGHTS))
    lamp: float = option(
        0.0, "Where the lamps hang: 0 in the middle of the ceiling, -1 and 1 towards opposite corners.", -1, 1
    )
    gamma: float = option(1.0, "Exponent of the recorded image: below 1 brighter, above 1 darker.", 0.1, 10)
    gain: float = option(1.0, "Factor of the recorded image.", 0.01, 10)
    noise: float = option(1.5, "Image noise, standard deviation in grey levels of 0..255.", 0, 100)
    moved: float = option(0.0, "Share of the furniture that stands elsewhere.", 0, 1)
    depth_noise: int = option(
        0, "1: depth with the noise, steps and gaps of a structured-light sensor; 0: exact depth.", 0, 1
    )
    twins: int = option(0, "1: all rooms have the same size, furniture and pictures, but for what doors do not leave "
                           "room for; 0: each its own.", 0, 1)
    drift: float = option(1.0, "Factor on the errors of odometry (about 1.5 % of the way at 1).", 0, 100)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height.

        Raises:
            DataError: not two positive numbers, or too large.
        """
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", self.size)
        width, height = (int(number) for number in found.groups()) if found else (0, 0)
        if not (16 <= width <= MAX_SIDE_PX and 16 <= height <= MAX_SIDE_PX):
            raise DataError("simulation key size", f"must be WIDTHxHEIGHT, each 16 to {MAX_SIDE_PX}", repr(self.size),
                            "try size=640x480")
        return width, height


def parse_spec(spec: str) -> SimulationConfig:
    """Return the options in a text like `sim:7?path=kidnap&place=2`.

    Raises:
        DataError: not a simulation, an unknown key, or a value that is none or out of range.
    """
    found = re.fullmatch(r"sim:(\d+)(?:\?(.*))?", spec)
    if not found:
        raise DataError(f"sequence {spec}", "must be sim:SEED or sim:SEED?key=value&key=value with a whole number SEED",
                        remedy="try sim:7?path=mapping&rooms=2")
    known: dict[str, Any] = {one.name: type(one.default) for one in fields(SimulationConfig) if one.name != "seed"}
    values: dict[str, Any] = {"seed": int(found[1])}
    for part in filter(None, (found[2] or "").split("&")):
        key, _, text = part.partition("=")
        if key not in known:
            raise DataError(f"key {key} of {spec}", "is unknown", remedy=f"known are {', '.join(known)}")
        try:
            values[key] = known[key](text)
        except ValueError:
            raise DataError(f"key {key} of {spec}",
                            f"must be {'a whole number' if known[key] is int else 'a number'}", repr(text)) from None
    try:
        config = SimulationConfig(**values)
    except ConfigError as error:
        raise DataError(f"sequence {spec}", f"has a bad key: {error}") from error
    _ = config.size_px  # raises for what is no size
    return config


START_S = {"mapping": 1000, "tracking": 100_000, "kidnap": 200_000}
"""Stamp of the first frame of each path, so that a day of paths is in order of time; kidnaps follow each other by 100
s."""
CAMERA_AHEAD_M = 0.08


class SimulatedSequence(IndexedSequence):
    """Frames of a robot with one camera in a simulated house.

    Opening furnishes the house and plans the path; its textures are painted at the first frame, in about a second a
    room.

    Attributes:
        config: the keys it was opened with.
        camera: of all frames.
        base_T_cam: (4, 4) pose of the camera on the robot; the base stands on the floor, x ahead.
        world_T_base, odom_T_base: (N, 4, 4) true and drifting poses of the base, planar.
    """

    def __init__(self, config: SimulationConfig, name: str) -> None:
        self.config = config
        frames = config.frames or default_frames(config.path, config.rooms)
        if config.start >= frames:
            raise DataError(f"key start of {name}", f"must be below the {frames} frames of the path", config.start)
        super().__init__(name, [f"frame-{number:06d}" for number in range(config.start, frames)])
        self.camera = make_camera(config)
        self.base_T_cam = make_base_T_cam(config)
        poses = PATHS[config.path][0](self.house, config.seed, frames, config.place)[config.start:]
        self.world_T_base = np.stack([stand(*pose) for pose in poses])
        self.odom_T_base = drifting(config.seed + config.place, self.world_T_base, config.drift)

    @cached_property
    def house(self) -> House:
        """The house, shared by all sequences with the same seed, rooms, light and furniture."""
        config = self.config
        return build_house(config.seed, config.rooms, config.moved, config.light, config.lamp, bool(config.twins))

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.house, self.camera)

    @cached_property
    def _sensor(self) -> Sensor:
        config = self.config
        return Sensor(self.camera, config.gain, config.gamma, config.noise, config.seed)

    def camera_at(self, index: int) -> Camera:
        """Return the camera, the same of all frames."""
        return self.camera

    def has_depth(self, index: int) -> bool:
        """Return that every frame has depth."""
        return True

    def stamp_ns(self, index: int) -> int:
        """Return the stamp of frame `index`."""
        config = self.config
        start_s = START_S[config.path] + 100 * config.place
        return start_s * 10**9 + round((config.start + index) * 1e9 / config.hz)

    def _pose(self, index: int) -> np.ndarray:
        return self.world_T_base[index] @ self.base_T_cam

    def _frame(self, index: int) -> Frame:
        world_T_cam, number = self._pose(index), self.config.start + index
        rendered, depth_m = self._renderer.render(world_T_cam)
        if self.config.depth_noise:
            depth_m = self._sensor.depth_m(depth_m, number)
        return Frame(self.stamp_ns(index), self._sensor.image(rendered, number), self.camera, depth_m, world_T_cam,
                     self.odom_T_base[index] @ self.base_T_cam, self.names[index])


def make_camera(config: SimulationConfig) -> Camera:
    """Return the pinhole camera, its principal point in the middle of the image."""
    width, height = config.size_px
    focal_px = 0.5 * width / np.tan(0.5 * np.deg2rad(config.fov))
    return Camera(width, height, focal_px, focal_px, 0.5 * width, 0.5 * height)


def make_base_T_cam(config: SimulationConfig) -> np.ndarray:
    """Return the camera's pose (4, 4) on the base: `height` above the floor, looking ahead and `tilt` down, then
    rolled."""
    cos, sin = np.cos(np.deg2rad(config.tilt)), np.sin(np.deg2rad(config.tilt))
    base_T_cam = np.eye(4)
    level = np.array([[0, -sin, cos], [-1, 0, 0], [0, -cos, -sin]])
    base_T_cam[:3, :3] = level @ rotation_from_vector(np.array([0.0, 0.0, np.deg2rad(config.roll)]))
    base_T_cam[:3, 3] = CAMERA_AHEAD_M, 0, config.height
    return base_T_cam


def open_simulation(spec: str) -> SimulatedSequence:
    """Return the sequence of a text like `sim:7?path=mapping&rooms=2`; `spec.SimulationConfig` says what keys there
    are.

    Raises:
        DataError: an unknown key or a value out of range.
    """
    return SimulatedSequence(parse_spec(spec), spec)
