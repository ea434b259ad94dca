"""Posed images for a field, scaled to a size."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry import se3
from cl_localization.geometry.camera import PIXEL_CENTRE, Camera
from cl_localization.nerf.cells import Grid
from cl_localization.nerf.rays import SeenRays, pixel_directions, seen_rays

NEAR_M = 0.05
BYTES_PER_MB = 1_000_000
MIN_POINTS = 20
"""Least number of points in view that bound the range of a frame without depth."""

FARTHEST_SHARE, BEYOND = 0.95, 1.1
"""The range is this quantile of the points' depths, times this factor."""


@dataclass(frozen=True, eq=False)
class View:
    """A posed image.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        depth: (H, W) float32 along the optical axis in units of the scene, 0 where unknown; or None.
    """

    name: str
    camera: Camera
    world_T_cam: np.ndarray
    image: np.ndarray
    depth: np.ndarray | None = None

    def rays(self, near: float, far: float, pixels: np.ndarray | slice = slice(None)) -> SeenRays:
        """Return the rays of all pixels, row by row, or of the pixel numbers `pixels` (N,)."""
        return seen_rays(self.camera, self.world_T_cam, near, far, self.image, self.depth, self.name, pixels)


def view_of(frame: Frame, size_px: tuple[int, int]) -> View:
    """Return a frame scaled to a size; raises DataError if it has no pose."""
    if frame.world_T_cam is None:
        raise DataError(f"frame {frame.name}", "must have a pose", remedy="a radiance field needs posed images")
    if size_px == (frame.camera.width_px, frame.camera.height_px):
        return View(frame.name, frame.camera, frame.world_T_cam, frame.image, frame.depth_m)
    image = np.asarray(Image.fromarray(frame.image).resize(size_px, Image.Resampling.LANCZOS))
    depth = None if frame.depth_m is None else cv2.resize(frame.depth_m, size_px, interpolation=cv2.INTER_NEAREST)
    return View(frame.name, frame.camera.scaled_to(*size_px), frame.world_T_cam, image, depth)


def surface_of(view: View, near: float, far: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (N, 3) measured between the bounds, and their colours (N, 3) in [0, 1]."""
    rays = view.rays(near, far)
    known = (rays.depths > near) & (rays.depths < far)
    points = rays.origins[known] + rays.depths[known, None] * rays.directions[known]
    return points.numpy(), rays.colours[known].numpy()


def reduced(frame: Frame, width_px: int, max_depth_m: float) -> Frame:
    """Return a frame reduced to `width_px`, without distortion; depth beyond the bound becomes 0 (unknown).

    Raises:
        DataError: it has no pose.
        GeometryError: its pose is invalid.
    """
    view = view_of(frame, size_px(frame.camera, width_px))
    world_T_cam = se3.validated(view.world_T_cam, f"pose of frame {frame.name or frame.stamp_ns}")
    if view.depth is not None:
        usable = np.isfinite(view.depth) & (view.depth > NEAR_M) & (view.depth < max_depth_m)
        view = replace(view, depth=np.where(usable, view.depth, np.float32(0)) if usable.any() else None)
    view = view if view.camera.distortion_model == "none" else _rectified(view)
    return Frame(frame.stamp_ns, view.image, view.camera, view.depth, world_T_cam, name=frame.name)


def size_px(camera: Camera, width_px: int) -> tuple[int, int]:
    """Return width and height of a camera's images reduced to a width, never enlarged."""
    width_px = min(width_px, camera.width_px)
    return width_px, max(round(camera.height_px * width_px / camera.width_px), 1)


def seen_points(view: View, max_depth_m: float, points_m: np.ndarray | None) -> np.ndarray:
    """Return points (N, 3) that bound a view: measured ones, else known ones in the image; none if too few."""
    if view.depth is not None:
        return surface_of(view, NEAR_M, max_depth_m)[0].astype(float)
    points = np.zeros((0, 3)) if points_m is None else np.asarray(points_m, float).reshape(-1, 3)
    points = points[_in_view(view, points, max_depth_m)]
    return points if len(points) >= MIN_POINTS else points[:0]


def seen_cells(grid: Grid, view: View, points: np.ndarray) -> Tensor:
    """Return the mask (X, Y, Z) of cells in a view, up to its farthest points (N, 3)."""
    cam_T_world = se3.inverse(view.world_T_cam)
    depths = points @ cam_T_world[2, :3] + cam_T_world[2, 3]
    indices = np.indices(grid.cells).reshape(3, -1).T
    centres = np.array(grid.low) + grid.edge * (indices + 0.5)
    seen = _in_view(view, centres, BEYOND * float(np.quantile(depths, FARTHEST_SHARE)))
    return torch.from_numpy(seen.reshape(grid.cells))


def _in_view(view: View, points: np.ndarray, max_depth_m: float) -> np.ndarray:
    """Return which world points (N, 3) are in a view's image, in front of the camera and nearer than the bound."""
    cam_T_world = se3.inverse(view.world_T_cam)
    points_cam = points @ cam_T_world[:3, :3].T + cam_T_world[:3, 3]
    seen = (points_cam[:, 2] > NEAR_M) & (points_cam[:, 2] < max_depth_m)
    seen[seen] = view.camera.contains(view.camera.project(points_cam[seen]))
    return seen


def _rectified(view: View) -> View:
    """Return a view rectified to a pinhole camera; without depth outside the original image."""
    pinhole = view.camera.pinhole()
    seen_px = view.camera.project(pixel_directions(pinhole)) - PIXEL_CENTRE
    where = seen_px.astype(np.float32).reshape(pinhole.height_px, pinhole.width_px, 2)
    nothing: Any = None  # the stubs want a second map, which one of two channels has no use for
    image = cv2.remap(view.image, where, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    depth = None if view.depth is None else cv2.remap(view.depth, where, nothing, cv2.INTER_NEAREST)
    return replace(view, camera=pinhole, image=image, depth=depth)
