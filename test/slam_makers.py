"""Rooms that are boxes, with points on their walls and exact depth, for the tests of mapping with own poses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from cl_localization.config import KeyframeConfig, LocalizerConfig, MapperConfig
from cl_localization.data.frame import Frame
from cl_localization.evaluation.trajectory_error import aligned_errors_m
from cl_localization.features import Features
from cl_localization.mapper import Mapper
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.slam import Slam
from core_makers import CAMERA, PointScene, SceneEncoder, look_at, motion, unit_vectors

HALF_M = np.array([3.0, 1.3, 2.5])
"""Half of a room's edges; its middle is the origin, y points down."""

APART_M = 20.0
"""Between the middles of two rooms along x."""

ODOM_T_WORLD = motion(np.array([0.0, 0.5, 0.0]), np.array([1.0, 2.0, 3.0]))

CONFIG = MapperConfig(keyframes=KeyframeConfig(min_translation_m=0.1, min_rotation_deg=8.0))


def room_points(seed: int, room: int = 0, count: int = 1600, looks_like: int | None = None) -> PointScene:
    """Return points on the walls of a room, each with a descriptor of its own.

    Args:
        looks_like: seed of another room that it cannot be told from.
    """
    random = np.random.default_rng(seed if looks_like is None else looks_like)
    points_m = random.uniform(-HALF_M, HALF_M, (count, 3))
    wall = random.integers(0, 6, count)
    points_m[np.arange(count), wall // 2] = np.where(wall % 2, 1, -1) * HALF_M[wall // 2]
    points_m[:, 0] += APART_M * room
    return PointScene(points_m, unit_vectors(random, count, 64))


def joined_scene(*scenes: PointScene) -> PointScene:
    """Return the points of several rooms as one scene."""
    return PointScene(np.concatenate([scene.points_m for scene in scenes]),
                      np.concatenate([scene.descriptors for scene in scenes]))


def room_of(position_m: np.ndarray) -> int:
    """Return the number of the room that a position is in."""
    return int(np.rint(position_m[0] / APART_M))


def box_depth(world_T_cam: np.ndarray) -> np.ndarray:
    """Return the depth image (H, W) of the walls of the room that the camera is in."""
    x, y = np.meshgrid(np.arange(CAMERA.width_px) + 0.5, np.arange(CAMERA.height_px) + 0.5)
    rays = np.column_stack([CAMERA.normalize(np.column_stack([x.ravel(), y.ravel()])), np.ones(x.size)])
    directions = rays @ world_T_cam[:3, :3].T
    position_m = world_T_cam[:3, 3] - [APART_M * room_of(world_T_cam[:3, 3]), 0, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.where(directions != 0, (np.sign(directions) * HALF_M - position_m) / directions, np.inf)
    return along.min(axis=1).reshape(CAMERA.height_px, CAMERA.width_px).astype(np.float32)


@dataclass
class RoomEncoder(SceneEncoder):
    """A `SceneEncoder` that sees the points of the camera's room only, and nothing through a covered lens."""

    scene: PointScene
    noise_px: float = 0.3
    similarity: float = 0.95
    covered: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(self.scene, CAMERA, self.noise_px, self.similarity)

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of the points that no wall hides."""
        features, number = super().encode(image), self.encoded[-1]
        if number in self.covered:
            return features.select(np.zeros(0, np.int64))
        seen = self.scene.visible(self.poses[number], CAMERA)[0]
        rooms = np.rint(self.scene.points_m[seen, 0] / APART_M)
        return features.select(rooms == room_of(self.poses[number][:3, 3]))


class Drive:
    """A SLAM of a camera whose true poses are known."""

    def __init__(self, scene: PointScene, slam: Slam | None = None, has_depth: bool = True, has_odometry: bool = False,
                 trajectory_length: int | None = None, **options: float) -> None:
        self.has_depth, self.has_odometry = has_depth, has_odometry
        self.encoder = RoomEncoder(scene)
        self.slam = slam or Slam(Mapper(CONFIG, self.encoder), SlamConfig(**{"min_features": 40} | options),
                                 LocalizerConfig(regressor="nearest"), trajectory_length)
        self.true: dict[int, np.ndarray] = {}
        self.statuses: list[str] = []

    def frame(self, world_T_cam: np.ndarray, covered: bool = False) -> Frame:
        """Return the frame of a camera at a pose that only the encoder knows, 15 a second."""
        frame = self.encoder.frame(world_T_cam, box_depth(world_T_cam) if self.has_depth else None, posed=False)
        if covered:
            self.encoder.covered.add(len(self.encoder.poses) - 1)
        frame = replace(frame, stamp_ns=len(self.encoder.poses) * 10**9 // 15,
                        odom_T_cam=ODOM_T_WORLD @ world_T_cam if self.has_odometry else None)
        self.true[frame.stamp_ns] = world_T_cam
        return frame

    def go(self, poses: list[np.ndarray], covered: bool = False) -> list[str]:
        """Give frames at poses to the SLAM; return the status of each."""
        new = [self.slam.add(self.frame(pose, covered)).status for pose in poses]
        self.statuses += new
        return new

    def errors_m(self) -> np.ndarray:
        """Return the distances of all posed frames from the truth, up to where the map began."""
        posed = self.slam.trajectory.poses()
        first = self.true[posed[0][0]] @ np.linalg.inv(posed[0][1])
        return np.array([np.linalg.norm((first @ pose)[:3, 3] - self.true[stamp_ns][:3, 3])
                         for stamp_ns, pose in posed])

    def aligned_errors_m(self, with_scale: bool) -> np.ndarray:
        """Return the distances of all posed frames from the truth, laid over it as well as can be."""
        posed = self.slam.trajectory.poses()
        return aligned_errors_m(np.array([pose[:3, 3] for _, pose in posed]),
                                np.array([self.true[stamp_ns][:3, 3] for stamp_ns, _ in posed]), with_scale)


def spinning(count: int, turn_deg: float = 360.0) -> list[np.ndarray]:
    """Return poses of a camera that turns on the spot in the middle of a room."""
    angles = np.deg2rad(np.linspace(0, turn_deg, count))
    return [look_at((0.0, 0.0, 0.0), (np.sin(angle), 0.0, np.cos(angle))) for angle in angles]


def turning(count: int, start_deg: float = 0.0, turn_deg: float = 360.0, room: int = 0) -> list[np.ndarray]:
    """Return poses of a camera that goes round the middle of a room, looking outwards."""
    poses = []
    for angle in np.deg2rad(start_deg + np.linspace(0, turn_deg, count)):
        out = np.array([np.sin(angle), 0.0, np.cos(angle)])
        eye_m = 0.4 * out + [APART_M * room, 0, 0]
        poses.append(look_at(tuple(eye_m), tuple(eye_m + out)))
    return poses
