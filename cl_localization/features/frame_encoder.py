"""From a frame to the features of the scene in it: images are turned upright before they are encoded, and what is fixed
to the camera, or masked by a person, is left out.

The robot's body, a gripper, a stamp or dirt on the lens are fixed to the camera. When that turns, what stays at its
pixel is no part of the scene. So features of two images between which the camera has turned, or moved where their depth
is known, vote for the cell of the image that they lie in: for fixed if they look the same at the same place, else
against.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from cl_localization.config import MaskConfig
from cl_localization.data.frame import Frame
from cl_localization.data.images import read_rgb
from cl_localization.errors import DataError
from cl_localization.features.encoder import Encoder, Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera

DARK = 128
MAX_STRETCH = 0.02
"""A mask and an image are of one shape when their ratios of width to height differ by at most this share."""

CELLS_ACROSS = 40
"""Cells in a row of the image."""

STAYS, MOVES = 1.5 / 640, 60.0 / 640
"""A feature stays within the first distance, and should move by the second to have a vote; shares of the width."""

SAME_SIMILARITY = 0.85

ENOUGH_FEATURES = 30
MAX_STAYING = 0.85
"""Where more features than this stay, the camera did: the motion told is wrong."""

FIXED_AT, MOST_VOTES = 3, 6
"""Net votes of image pairs that make a cell fixed, and the most that count: one that is fixed is free again at 0."""

STAYING_IS_FIXED, STAYING_IS_FREE = 0.5, 0.2
"""Share of a cell's features that must stay to vote for fixed, and below which it votes against."""


class FrameEncoder:
    """Encodes the frames of one camera, and learns which regions of its images are fixed to it.

    Attributes:
        regions: those regions.
    """

    def __init__(self, encoder: Encoder, config: MaskConfig) -> None:
        """Encode by `encoder`.

        Raises:
            DataError: the mask cannot be read.
        """
        self.regions = FixedRegions()
        self._encoder, self._detect = encoder, config.detect
        self._drawn = [ImageMask.from_file(config.file)] if config.file else []
        self._newest: tuple[np.ndarray, Features] | None = None

    def encode(self, frame: Frame) -> Features:
        """Return the features of the scene, their keypoints in the image as it came.

        Raises:
            EncoderError: the image cannot be encoded.
            DataError: a mask has another shape.
        """
        features = self._unmasked(frame)
        hidden = self.regions.hides(features.keypoints_px, frame.camera)
        return features.select(~hidden) if hidden.any() else features

    def observe(self, frame: Frame, frame_T_cam: np.ndarray, name: str, depths_m: np.ndarray | None = None) -> bool:
        """Learn from a frame that was encoded; return whether more of the image is known to be fixed now.

        Args:
            frame_T_cam: (4, 4) its camera in a frame in which the scene is at rest.
            name: of that frame.
            depths_m: (H, W) depth image, 0 where unknown.
        """
        if not self._detect:
            return False
        features = self._unmasked(frame)
        return self.regions.observe(features, frame.camera, frame_T_cam, name, frame.stamp_ns,
                                    None if depths_m is None else _read_at(depths_m, features.keypoints_px))

    def _unmasked(self, frame: Frame) -> Features:
        """Return the features that no mask hides, fixed ones included."""
        if self._newest is None or self._newest[0] is not frame.image:
            features = upright_features(self._encoder, frame)
            of_frame = [] if frame.mask is None else [ImageMask(frame.mask, "mask of the image")]
            for mask in (*self._drawn, *of_frame):
                hidden = mask.hides(features.keypoints_px, frame.camera.width_px, frame.camera.height_px)
                features = features.select(~hidden)
            self._newest = frame.image, features
        return self._newest[1]


def upright_features(encoder: Encoder, frame: Frame) -> Features:
    """Return the features of an image that was turned upright, their keypoints in the image as it came."""
    turns = frame.upright_turns % 4
    if turns == 0:
        return encoder.encode(frame.image)
    features = encoder.encode(np.ascontiguousarray(np.rot90(frame.image, -turns)))
    x, y = features.keypoints_px.T
    height, width = frame.image.shape[:2]
    turned_back = {1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}[turns]
    return Features(np.column_stack(turned_back).astype(np.float32), features.descriptors, features.scores)


def _read_at(depth_m: np.ndarray, keypoints_px: np.ndarray) -> np.ndarray:
    """Return the depth (N,) at keypoints (N, 2)."""
    column, row = keypoints_px.astype(np.int64).T
    return depth_m[row.clip(0, depth_m.shape[0] - 1), column.clip(0, depth_m.shape[1] - 1)]


class ImageMask:
    """Hides what is dark in a mask, as in COLMAP."""

    def __init__(self, image: np.ndarray, name: str) -> None:
        """Take a mask (H, W) or (H, W, 3) uint8; `name` is what errors call it."""
        grey = image if image.ndim == 2 else image.max(axis=2)
        self._hidden, self._name = grey < DARK, name

    @classmethod
    def from_file(cls, path: str) -> ImageMask:
        """Read an image file.

        Raises:
            DataError: it cannot be read.
        """
        return cls(read_rgb(Path(path)), f"mask {path}")

    def hides(self, keypoints_px: np.ndarray, width_px: int, height_px: int) -> np.ndarray:
        """Return which keypoints (N, 2) of an image of a size the mask hides, bool (N,).

        Raises:
            DataError: the mask has another shape.
        """
        height, width = self._hidden.shape
        if abs(width * height_px / (height * width_px) - 1) > MAX_STRETCH:
            raise DataError(self._name, f"must have the shape of the images, {width_px}x{height_px}",
                            f"{width}x{height}", "draw it on an image of this camera")
        column, row = (keypoints_px * [width / width_px, height / height_px]).astype(np.int64).T
        return self._hidden[row.clip(0, height - 1), column.clip(0, width - 1)]


@dataclass(frozen=True, eq=False)
class _Seen:
    """An image: its features, its camera, that camera's pose (4, 4) in some frame, the name of that frame, and its
    timestamp."""

    features: Features
    camera: Camera
    frame_T_cam: np.ndarray
    frame: str
    stamp_ns: int


class FixedRegions:
    """Learns which regions of one camera's images are fixed to it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin again: no region is known to be fixed."""
        self._camera: Camera | None = None
        self._reference: _Seen | None = None

    def hides(self, keypoints_px: np.ndarray, camera: Camera, since_ns: int | None = None) -> np.ndarray:
        """Return which keypoints (N, 2) of a camera's image lie in a fixed region, bool (N,).

        Args:
            since_ns: timestamp of an image: only regions that were fixed by then count; None for those that are now.
        """
        if camera != self._camera or not self._fixed.any():
            return np.zeros(len(keypoints_px), bool)
        fixed = self._fixed if since_ns is None else self._fixed & (self._since_ns <= since_ns)
        closed = cv2.morphologyEx(fixed.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
        return closed[self._cells(keypoints_px, camera)] > 0

    def observe(self, features: Features, camera: Camera, frame_T_cam: np.ndarray, frame: str, stamp_ns: int,
                depths_m: np.ndarray | None = None) -> bool:
        """Learn from the features of an image, fixed ones included; return whether more is known to be fixed now.

        Args:
            frame_T_cam: (4, 4) the camera in a frame in which the scene is at rest.
            frame: name of that frame: poses are only compared within one.
            depths_m: (N,) depth of the features, 0 where unknown; without it only turns tell.
        """
        if camera != self._camera:
            self._begin(camera)
        now, before = _Seen(features, camera, frame_T_cam, frame, stamp_ns), self._reference
        if before is None or before.frame != frame:
            self._reference = now
            return False
        moving = _should_move(now, before, depths_m)
        if moving.sum() < max(ENOUGH_FEATURES, 0.5 * len(features)):
            return False
        self._reference = now
        staying = moving & _stays(features, before.features, STAYS * camera.width_px)
        if staying.sum() > MAX_STAYING * moving.sum():
            return False
        return self._vote(now, moving, staying, before.stamp_ns)

    def _begin(self, camera: Camera) -> None:
        self.forget()
        self._camera = camera
        shape = max(1, round(CELLS_ACROSS * camera.height_px / camera.width_px)), CELLS_ACROSS
        self._votes, self._fixed, self._since_ns = (np.zeros(shape, kind) for kind in (np.int8, bool, np.int64))

    def _vote(self, now: _Seen, moving: np.ndarray, staying: np.ndarray, since_ns: int) -> bool:
        """Count the votes of an image's features, of those that should move; return whether cells became fixed."""
        moved, stayed = (np.zeros(self._votes.shape, np.int64) for _ in range(2))
        np.add.at(moved, self._cells(now.features.keypoints_px[moving], now.camera), 1)
        np.add.at(stayed, self._cells(now.features.keypoints_px[staying], now.camera), 1)
        is_for = (stayed > 0) & (stayed >= STAYING_IS_FIXED * moved)
        is_against = (moved > 0) & (stayed < STAYING_IS_FREE * moved)
        self._since_ns[is_for & (self._votes == 0)] = since_ns
        self._votes = np.clip(self._votes + is_for - is_against, 0, MOST_VOTES).astype(np.int8)
        was_fixed = self._fixed
        self._fixed = (self._votes >= FIXED_AT) | (was_fixed & (self._votes > 0))
        return bool((self._fixed & ~was_fixed).any())

    def _cells(self, keypoints_px: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
        """Return row and column (N,) of the cells that keypoints (N, 2) lie in."""
        rows, columns = self._votes.shape
        size_px = np.array([camera.width_px / columns, camera.height_px / rows])
        column, row = (np.asarray(keypoints_px, float).reshape(-1, 2) / size_px).astype(np.int64).T
        return row.clip(0, rows - 1), column.clip(0, columns - 1)


def _should_move(now: _Seen, before: _Seen, depths_m: np.ndarray | None) -> np.ndarray:
    """Return which features (N,) of the image would have moved by far or left it, were they of the scene."""
    camera, keypoints_px = now.camera, now.features.keypoints_px
    rays = np.column_stack([camera.normalize(keypoints_px), np.ones(len(keypoints_px))])
    before_T_now = se3.inverse(before.frame_T_cam) @ now.frame_T_cam
    points = rays @ before_T_now[:3, :3].T
    if depths_m is not None:
        known = depths_m > 0
        points[known] = points[known] * depths_m[known, None] + before_T_now[:3, 3]
    away = points[:, 2] <= 0
    points[away] = [0.0, 0.0, 1.0]
    moved_px = np.linalg.norm(camera.project(points) - keypoints_px, axis=1)
    return away | (moved_px > MOVES * camera.width_px)


def _stays(now: Features, before: Features, radius_px: float) -> np.ndarray:
    """Return which features (N,) look as one did before at the same place."""
    staying = np.zeros(len(now), bool)
    if len(before):
        distance_px, nearest = cKDTree(before.keypoints_px).query(now.keypoints_px, distance_upper_bound=radius_px)
        near = np.flatnonzero(np.isfinite(distance_px))
        similarity = np.einsum("nd,nd->n", now.descriptors[near], before.descriptors[nearest[near]])
        staying[near] = similarity > SAME_SIMILARITY
    return staying
