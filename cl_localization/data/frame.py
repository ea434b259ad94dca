"""What every reader of sequences yields: frames, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.data.stamps import format_stamp_s
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera


@dataclass(frozen=True, eq=False)
class Frame:
    """One image with its camera, stamp and what else was measured with it.

    Attributes:
        stamp_ns: when it was taken, in nanoseconds; frames of a sequence are sorted by it.
        image: (H, W, 3) uint8, RGB.
        camera: intrinsics of `image`.
        depth_m: (H, W) float32, registered to `image`, 0 where unknown; or None.
        world_T_cam: (4, 4) float64 pose of the camera (ground truth, SLAM, ...); or None.
        odom_T_cam: (4, 4) float64 pose of the camera in the drifting odometry frame; or None.
        name: what the source calls it, for messages and result files.
        upright_turns: quarter turns clockwise after which the image is upright; all else is of the image as it is.
        mask: uint8, dark where the image is not of the scene, in its shape and of any size, grey or RGB; or None.
    """

    stamp_ns: int
    image: np.ndarray
    camera: Camera
    depth_m: np.ndarray | None = None
    world_T_cam: np.ndarray | None = None
    odom_T_cam: np.ndarray | None = None
    name: str = ""
    upright_turns: int = 0
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise DataError(f"image {self.name}", "must be (H, W, 3) uint8 RGB",
                            f"{self.image.shape} {self.image.dtype}")
        size = (self.camera.height_px, self.camera.width_px)
        if self.image.shape[:2] != size:
            raise DataError(f"image {self.name}", f"must have the camera's size {size[1]}x{size[0]}",
                            f"{self.image.shape[1]}x{self.image.shape[0]}", "give the calibration of this image size")
        if self.depth_m is not None and self.depth_m.shape != size:
            raise DataError(f"depth of {self.name}", f"must have the image's size {size[1]}x{size[0]}",
                            f"{self.depth_m.shape[1]}x{self.depth_m.shape[0]}", "register depth to colour")

    def __repr__(self) -> str:
        where = "no pose" if self.world_T_cam is None else f"at {np.round(self.world_T_cam[:3, 3], 3).tolist()}"
        return (f"Frame({self.name!r}, {format_stamp_s(self.stamp_ns)} s, {self.camera.width_px}x"
                f"{self.camera.height_px}, {'no depth' if self.depth_m is None else 'depth'}, {where})")


class Sequence(Protocol):
    """Frames in order of time, read lazily: `sequence[i]` decodes frame i.

    Attributes:
        name: what the user called it.
        skipped: names of listed frames that are missing or unreadable, left out and counted.
    """

    name: str
    skipped: list[str]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame:
        """Return a frame; readers also take a slice and return the sequence of its frames, not yet decoded."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def pose(self, index: int) -> np.ndarray | None:
        """Return world_T_cam of frame `index` without decoding its image."""
        ...
