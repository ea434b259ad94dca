"""A frame as a dense network learns it: an image in [-1, 1] and the scene coordinates of its cells, augmented
together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry import se3
from cl_localization.research.hscnet.network import CELL_PX
from cl_localization.research.hscnet.regions import RegionTree

SIZE_STEP_PX = 32


@dataclass(frozen=True)
class Augmentation:
    """How much images are changed in training (CL_HSCNet's values)."""

    brightness: float = 20.0
    translation_share: float = 0.2
    min_scale: float = 0.7
    max_scale: float = 1.5
    rotation_deg: float = 30.0
    shear_deg: float = 10.0

    def affine(self, width_px: int, height_px: int, rng: np.random.Generator) -> np.ndarray:
        """Return the (2, 3) map from pixels of the image to those of the augmented one."""
        angle, shear = np.deg2rad(rng.uniform(-1, 1, 2) * [self.rotation_deg, self.shear_deg])
        scale = rng.uniform(self.min_scale, self.max_scale)
        shift_px = rng.uniform(-1, 1, 2) * self.translation_share * [width_px, height_px]
        linear = scale * np.array([[np.cos(angle), -np.sin(angle + shear)], [np.sin(angle), np.cos(angle + shear)]])
        centre_px = np.array([width_px, height_px]) / 2
        return np.column_stack([linear, centre_px + shift_px - linear @ centre_px])


@dataclass(frozen=True, eq=False)
class Sample:
    """One image and its targets, a batch of one.

    Attributes:
        image: (1, 3, H, W) in [-1, 1].
        coordinates_m: (1, 3, h, w) scene coordinates of the cells.
        valid: (1, h, w) whether a cell has any.
        leaves: (1, h, w) leaf region of each cell, 0 where it is not valid; None without regions.
    """

    image: Tensor
    coordinates_m: Tensor
    valid: Tensor
    leaves: Tensor | None = None


def prepared(frame: Frame, width_px: int) -> Frame:
    """Return a frame shrunk to the network's size: about `width_px` wide, both sides multiples of 32."""
    def rounded(size_px: float) -> int:
        return max(SIZE_STEP_PX, round(size_px / SIZE_STEP_PX) * SIZE_STEP_PX)
    size_px = rounded(width_px), rounded(width_px * frame.camera.height_px / frame.camera.width_px)
    if size_px == (frame.camera.width_px, frame.camera.height_px):
        return frame
    depth_m = None if frame.depth_m is None else cv2.resize(frame.depth_m, size_px, interpolation=cv2.INTER_NEAREST)
    return replace(frame, image=cv2.resize(frame.image, size_px, interpolation=cv2.INTER_AREA), depth_m=depth_m,
                   camera=frame.camera.scaled_to(*size_px))


class PreparedFrames:
    """Frames shrunk to the network's size, read when they are needed; as many as fit into a bound stay in memory."""

    def __init__(self, frames: Sequence[Frame], width_px: int, memory_mb: float = 2048.0) -> None:
        """Take frames, a list or anything that reads them by index."""
        self._frames, self._width_px, self._room_bytes = frames, width_px, 1e6 * memory_mb
        self._kept: dict[int, Frame] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        if index in self._kept:
            return self._kept[index]
        frame = prepared(self._frames[index], self._width_px)
        self._room_bytes -= frame.image.nbytes + (0 if frame.depth_m is None else frame.depth_m.nbytes)
        if self._room_bytes >= 0:
            self._kept[index] = frame
        return frame


def cell_centres_px(width_px: int, height_px: int) -> np.ndarray:
    """Return the pixels (h, w, 2) that the cells of an image of this size stand for."""
    rows, columns = np.mgrid[:height_px // CELL_PX, :width_px // CELL_PX]
    return np.stack([columns, rows], -1) * CELL_PX + CELL_PX / 2


def image_tensor(image: np.ndarray) -> Tensor:
    """Return an RGB image (H, W, 3) uint8 as (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 127.5 - 1.0


def scene_points_m(frame: Frame, pixels: np.ndarray | None = None) -> np.ndarray:
    """Return the scene coordinates (..., 3) of whole pixels (..., 2), x before y; of all (H, W) without them. NaN where
    there is no depth.

    Raises:
        DataError: the frame has no pose or no depth.
    """
    if frame.world_T_cam is None or frame.depth_m is None:
        raise DataError(f"frame {frame.name or frame.stamp_ns}",
                        "must have a pose and depth to learn scene coordinates from")
    if pixels is None:
        rows, columns = np.mgrid[:frame.camera.height_px, :frame.camera.width_px]
        pixels = np.stack([columns, rows], -1)
    depth_m = frame.depth_m[pixels[..., 1], pixels[..., 0]]
    normalized = frame.camera.normalize(pixels.reshape(-1, 2) + 0.5)
    points_cam_m = np.column_stack([normalized, np.ones(len(normalized))]) * depth_m.reshape(-1, 1)
    points_m = se3.transform(frame.world_T_cam, points_cam_m).reshape(*depth_m.shape, 3)
    points_m[depth_m <= 0] = np.nan
    return points_m


def make_sample(frame: Frame, regions: RegionTree | None = None, augmentation: Augmentation | None = None,
                rng: np.random.Generator | None = None) -> Sample:
    """Return a prepared frame as a sample; with an augmentation (and a generator for it), randomly changed.

    Targets are looked up where each cell of the changed image came from, and labels follow from them: nothing is
    interpolated across an edge of depth or of a region.

    Raises:
        DataError: the frame has no pose or no depth.
    """
    size_px = (frame.camera.width_px, frame.camera.height_px)
    image, affine = frame.image, np.eye(2, 3)
    if augmentation is not None and rng is not None:
        affine = augmentation.affine(*size_px, rng)
        brighter = _warped(image, affine, rng) + float(rng.uniform(-1, 1) * augmentation.brightness)
        image = np.clip(brighter, 0, 255).astype(np.uint8)
    points_m = _looked_up(frame, cell_centres_px(*size_px), affine)
    valid = np.isfinite(points_m).all(-1)
    points_m[~valid] = 0.0
    leaves = None if regions is None else torch.from_numpy(np.where(valid, regions.labels(points_m), 0))[None]
    return Sample(image_tensor(image), torch.from_numpy(points_m.transpose(2, 0, 1).astype(np.float32))[None],
                  torch.from_numpy(valid)[None], leaves)


def _warped(image: np.ndarray, affine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the image after an affine map of pixels whose first centre is (0.5, 0.5); noise where it shows nothing."""
    opencv = affine.copy()
    opencv[:, 2] += affine[:, :2] @ [0.5, 0.5] - 0.5
    ground = rng.integers(0, 256, image.shape, dtype=np.uint8)
    return cv2.warpAffine(image, opencv, image.shape[1::-1], ground, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)


def _looked_up(frame: Frame, cells_px: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the points (h, w, 3) that a frame shows under cells (h, w, 2) of the changed image; NaN outside."""
    source_px = np.floor((cells_px - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T).astype(np.int64)
    inside = ((source_px >= 0) & (source_px < [frame.camera.width_px, frame.camera.height_px])).all(-1)
    found_m = scene_points_m(frame, np.where(inside[..., None], source_px, 0))
    found_m[~inside] = np.nan
    return found_m
