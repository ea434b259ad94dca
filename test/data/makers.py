"""Small frames, sequences and folders that the tests of the data room read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from cl_localization.data.frame import Frame
from cl_localization.data.sequence import IndexedSequence
from cl_localization.geometry.camera import Camera

CAMERA = Camera(32, 24, 30.0, 31.0, 16.0, 12.0)


def make_pose(seed: int) -> np.ndarray:
    """Return a pose (4, 4) that is the same for the same seed."""
    generator = np.random.default_rng(seed)
    pose = np.eye(4)
    pose[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    pose[:3, 3] = generator.uniform(-3, 3, 3)
    return pose


def make_image(seed: int, camera: Camera = CAMERA) -> np.ndarray:
    """Return a colourful image of the camera's size."""
    return np.random.default_rng(seed).integers(0, 256, (camera.height_px, camera.width_px, 3), dtype=np.uint8)


def make_depth(seed: int, camera: Camera = CAMERA) -> np.ndarray:
    """Return depth in whole millimetres with some unknown pixels."""
    millimetres = np.random.default_rng(seed).integers(0, 4000, (camera.height_px, camera.width_px))
    return (np.where(millimetres < 400, 0, millimetres) * 0.001).astype(np.float32)


class MadeSequence(IndexedSequence):
    """Frames made from their number; every second has odometry."""

    def __init__(self, count: int = 5, camera: Camera = CAMERA, posed: bool = True, odometry: bool = True,
                 start_ns: int = 0) -> None:
        super().__init__("made", [f"made-{index}" for index in range(count)])
        self.camera, self.posed, self.odometry, self.start_ns = camera, posed, odometry, start_ns

    def _frame(self, index: int) -> Frame:
        odom_T_cam = make_pose(1000 + index) if self.odometry else None
        return Frame(self.start_ns + index * 100_000_001, make_image(index, self.camera), self.camera,
                     make_depth(index, self.camera),
                     self._pose(index), odom_T_cam, self.names[index])

    def _pose(self, index: int) -> np.ndarray | None:
        return make_pose(index) if self.posed else None


def write_image(path: Path, pixels: np.ndarray) -> None:
    """Write an RGB, grey or 16-bit image, and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 and pixels.shape[2] == 3 else pixels)


def write_7scenes(folder: Path, numbers: range = range(0, 6, 2), suffix: str = "png") -> None:
    """Write a small 7-Scenes sequence of 640x480 frames with flat depth of 2 m and poses."""
    for number in numbers:
        stem = f"frame-{number:06d}"
        write_image(folder / f"{stem}.color.{suffix}", np.full((480, 640, 3), number, np.uint8))
        write_image(folder / f"{stem}.depth.png", np.full((480, 640), 2000, np.uint16))
        np.savetxt(folder / f"{stem}.pose.txt", make_pose(number))
