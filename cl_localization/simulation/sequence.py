"""The simulated robot's recording: a `Sequence` whose frames are rendered when they are asked for."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.data.sequence import IndexedSequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import rotation_from_vector
from cl_localization.simulation.furniture import stand
from cl_localization.simulation.house import House, build_house
from cl_localization.simulation.paths import PATHS, default_frames
from cl_localization.simulation.renderer import Renderer
from cl_localization.simulation.sensor import Sensor, drifting
from cl_localization.simulation.spec import SimulationConfig, parse_spec

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
