"""Posed images for a field, scaled to a size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.rays import SeenRays, seen_rays


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
