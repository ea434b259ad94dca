"""Poses, cameras and scenes whose truth is known, for the tests of the core: no network and no files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera

CAMERA = Camera(320, 240, 250.0, 252.0, 161.0, 119.0)
WALL_M = 4.0


def motion(rotation_vector: np.ndarray, translation_m: np.ndarray) -> np.ndarray:
    """Return the 4x4 matrix of a rotation vector and a translation."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(rotation_vector).as_matrix()
    matrix[:3, 3] = translation_m
    return matrix


def coordinates(limit: float) -> st.SearchStrategy[np.ndarray]:
    """Strategy of vectors (3,) with entries in [-limit, limit]."""
    return st.lists(st.floats(-limit, limit), min_size=3, max_size=3).map(np.array)


def motions(limit_m: float = 100.0) -> st.SearchStrategy[np.ndarray]:
    """Strategy of rigid motions (4, 4)."""
    return st.builds(motion, coordinates(3.5), coordinates(limit_m))


def unit_vectors(random: np.random.Generator, count: int, dim: int) -> np.ndarray:
    """Return random unit descriptors (count, dim) float32."""
    vectors = random.normal(size=(count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def noisy(random: np.random.Generator, descriptors: np.ndarray, similarity: float) -> np.ndarray:
    """Return unit descriptors whose cosine similarity to the given ones is about `similarity`."""
    across = unit_vectors(random, *descriptors.shape)
    mixed = similarity * descriptors + np.sqrt(1 - similarity**2) * across
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def look_at(eye_m: tuple[float, float, float], target_m: tuple[float, float, float]) -> np.ndarray:
    """Return world_T_cam (4, 4) of a camera at `eye_m` that looks at `target_m`; the world's y points down."""
    forward = np.subtract(target_m, eye_m).astype(float)
    forward /= np.linalg.norm(forward)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    world_T_cam = np.eye(4)
    world_T_cam[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    world_T_cam[:3, 3] = eye_m
    return world_T_cam


@dataclass(eq=False)
class PointScene:
    """Points (P, 3), each with its own descriptor (P, D)."""

    points_m: np.ndarray
    descriptors: np.ndarray

    @classmethod
    def room(cls, count: int = 300, dim: int = 64, seed: int = 0) -> PointScene:
        """Points in the air before the camera, between 2.5 and 5 m along z."""
        random = np.random.default_rng(seed)
        return cls(random.uniform([-2.5, -1.5, 2.5], [2.5, 1.5, 5.0], (count, 3)), unit_vectors(random, count, dim))

    @classmethod
    def wall(cls, count: int = 400, dim: int = 64, seed: int = 0) -> PointScene:
        """Points on the plane z = WALL_M, of which `wall_depth` renders the depth."""
        scene = cls.room(count, dim, seed)
        scene.points_m[:, 2] = WALL_M
        return scene

    def visible(self, world_T_cam: np.ndarray, camera: Camera = CAMERA) -> tuple[np.ndarray, np.ndarray]:
        """Return indices (N,) and exact pixels (N, 2) of the points that a camera sees."""
        points_cam = se3.transform(se3.inverse(world_T_cam), self.points_m)
        pixels = camera.project(points_cam)
        seen = np.flatnonzero((points_cam[:, 2] > 0.1) & camera.contains(pixels))
        return seen, pixels[seen]

    def features(self, world_T_cam: np.ndarray, camera: Camera = CAMERA, noise_px: float = 0.0, similarity: float = 1.0,
                 seed: int = 0) -> Features:
        """Return what a perfect encoder would find, in the order of the points, with noise on top."""
        random = np.random.default_rng(seed)
        seen, pixels = self.visible(world_T_cam, camera)
        pixels = pixels + random.normal(scale=noise_px, size=pixels.shape) if noise_px else pixels
        descriptors = self.descriptors[seen]
        if similarity < 1.0:
            descriptors = noisy(random, descriptors, similarity)
        return Features(pixels.astype(np.float32), descriptors, np.linspace(1, 0.5, len(seen), dtype=np.float32))


def wall_depth(world_T_cam: np.ndarray, camera: Camera = CAMERA) -> np.ndarray:
    """Return the depth image (H, W) float32 of the plane z = WALL_M."""
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    rays = np.column_stack([camera.normalize(np.column_stack([x.ravel(), y.ravel()])), np.ones(x.size)])
    along = (WALL_M - world_T_cam[2, 3]) / (rays @ world_T_cam[2, :3])
    return along.reshape(camera.height_px, camera.width_px).astype(np.float32)


class SceneEncoder:
    """An encoder that knows where the camera is: frames carry their number in their first pixel.

    Attributes:
        encoded: numbers of the frames it was asked for, in order.
    """

    name = "scene"

    def __init__(self, scene: PointScene, camera: Camera = CAMERA, noise_px: float = 0.0,
                 similarity: float = 1.0) -> None:
        self.scene, self.camera = scene, camera
        self.noise_px, self.similarity = noise_px, similarity
        self.dim = scene.descriptors.shape[1]
        self.poses: list[np.ndarray] = []
        self.encoded: list[int] = []

    def frame(self, world_T_cam: np.ndarray, depth_m: np.ndarray | None = None, posed: bool = True) -> Frame:
        """Return a frame taken at a pose, which only the encoder knows where `posed` is False."""
        image = np.zeros((self.camera.height_px, self.camera.width_px, 3), np.uint8)
        number = len(self.poses)
        image[0, 0] = number // 256, number % 256, 0
        self.poses.append(world_T_cam)
        return Frame(10**9 * (number + 1), image, self.camera, depth_m, world_T_cam if posed else None,
                     name=f"frame-{number}")

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of the scene seen from where the frame was taken."""
        number = int(image[0, 0, 0]) * 256 + int(image[0, 0, 1])
        self.encoded.append(number)
        return self.scene.features(self.poses[number], self.camera, self.noise_px, self.similarity, seed=number)
