"""Regions of the image that are fixed to the camera: the robot's body, a gripper, a stamp, dirt on the lens.

When the camera turns, what stays at its pixel is no part of the scene. So features of two images between which the
camera has turned, or moved where their depth is known, vote for the cell of the image that they lie in: for fixed if
they look the same at the same place, else against.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree

from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera

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
        self._votes = np.zeros((0, CELLS_ACROSS), np.int8)
        self._fixed = np.zeros((0, CELLS_ACROSS), bool)
        self._since_ns = np.zeros((0, CELLS_ACROSS), np.int64)
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
