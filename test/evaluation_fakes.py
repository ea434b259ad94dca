"""A sequence, a mapper and a localizer that need no images worth looking at."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.data.sequence import IndexedSequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera

CAMERA = Camera(8, 6, 8.0, 8.0, 4.0, 3.0)


class FakeSequence(IndexedSequence):
    """Black frames along x; those in `broken` cannot be read, those in `unposed` have no pose."""

    def __init__(self, frames: int, broken: tuple[int, ...] = (), unposed: tuple[int, ...] = ()) -> None:
        super().__init__("fake", [f"frame-{2 * index:06d}" for index in range(frames)])
        self.broken, self.unposed = broken, unposed
        self.read: list[int] = []

    def _frame(self, index: int) -> Frame:
        self.read.append(index)
        if index in self.broken:
            raise DataError(f"image {index}", "is truncated")
        image = np.zeros((6, 8, 3), np.uint8)
        return Frame(index, image, CAMERA, np.ones((6, 8), np.float32), self._pose(index), name=self.names[index])

    def _pose(self, index: int) -> np.ndarray | None:
        if index in self.unposed:
            return None
        world_T_cam = np.eye(4)
        world_T_cam[0, 3] = 0.1 * index
        return world_T_cam


class FakeMapper:
    """Keeps what it is given; every second frame is a keyframe."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.finished = 0

    def add(self, frame: Frame) -> SimpleNamespace:
        self.frames.append(frame)
        return SimpleNamespace(is_keyframe=len(self.frames) % 2 == 1)

    def finish(self) -> None:
        self.finished += 1


class FakeLocalizer:
    """Right about every frame, except that it refuses those with a stamp in `refused`."""

    def __init__(self, refused: tuple[int, ...] = ()) -> None:
        self.refused = refused
        self.resets = 0

    def reset(self) -> None:
        self.resets += 1

    def localize(self, frame: Frame) -> SimpleNamespace:
        accepted = frame.stamp_ns not in self.refused
        return SimpleNamespace(
            accepted=accepted, reason="ok" if accepted else "few inliers", inliers=40, world_T_cam=frame.world_T_cam,
            covariance=1e-4 * np.eye(6), scene="kitchen"
        )
