"""Rays of cameras, with their bounds and the observed colours and depths."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from cl_localization.errors import DataError
from cl_localization.geometry.camera import PIXEL_CENTRE, Camera

Rays = TypeVar("Rays", bound="RayBundle")
UNKNOWN_DEPTH = 0.0
LENSES = 4
"""Number of cameras whose ray directions are cached."""


@dataclass(frozen=True, eq=False)
class RayBundle:
    """N rays in the frame of the scene, in its units.

    Attributes:
        origins: (N, 3).
        directions: (N, 3), of unit length.
        near, far: (N,) bounds of the distance; a ray with far <= near is empty.
    """

    origins: Tensor
    directions: Tensor
    near: Tensor
    far: Tensor

    def __len__(self) -> int:
        return len(self.origins)

    def rows(self, rows: Tensor | slice) -> Self:
        """Return a subset of the rays."""
        return type(self)(**{spec.name: getattr(self, spec.name)[rows] for spec in fields(self)})

    def to(self, device: torch.device) -> Self:
        """Return the rays on a device."""
        return type(self)(**{spec.name: getattr(self, spec.name).to(device) for spec in fields(self)})

    @classmethod
    def joined(cls, bundles: list[Self]) -> Self:
        """Return the rays of several bundles in order."""
        return cls(**{spec.name: torch.cat([getattr(bundle, spec.name) for bundle in bundles]) for spec in fields(cls)})


@dataclass(frozen=True, eq=False)
class SeenRays(RayBundle):
    """Rays with their observations.

    Attributes:
        colours: (N, 3) in [0, 1].
        depths: (N,) distance along the ray, 0 where unknown.
        centredness: (N,) proximity to the image's centre: exp(-r^2/2), r in half image sizes.
    """

    colours: Tensor
    depths: Tensor
    centredness: Tensor


def camera_rays(camera: Camera, world_T_cam: np.ndarray, near: float, far: float, thing: str = "camera",
                pixels: np.ndarray | slice = slice(None)) -> RayBundle:
    """Return the rays through the centres of all pixels, row by row, or of the pixel numbers `pixels` (N,).

    Raises:
        DataError: the pose is missing, not finite or singular.
    """
    if world_T_cam is None or world_T_cam.shape != (4, 4) or not np.isfinite(world_T_cam).all() \
            or abs(np.linalg.det(world_T_cam[:3, :3])) < 1e-6:
        raise DataError(f"pose of {thing}", "must be a finite 4x4 matrix that is not singular", world_T_cam,
                        "remove the frame")
    directions = (pixel_directions(camera)[pixels] @ world_T_cam[:3, :3].T).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    count = len(directions)
    origins = np.broadcast_to(world_T_cam[:3, 3].astype(np.float32), (count, 3)).copy()
    return RayBundle(torch.from_numpy(origins), torch.from_numpy(directions), torch.full((count,), float(near)),
                     torch.full((count,), float(far)))


def seen_rays(camera: Camera, world_T_cam: np.ndarray, near: float, far: float, image: np.ndarray,
              depth: np.ndarray | None = None, thing: str = "camera",
              pixels: np.ndarray | slice = slice(None)) -> SeenRays:
    """Return the rays of an image (H, W, 3) uint8 with optional depth (H, W) along the optical axis; see `camera_rays`.
    """
    bundle = camera_rays(camera, world_T_cam, near, far, thing, pixels)
    colours = torch.from_numpy(image.reshape(-1, 3)[pixels].astype(np.float32) / 255)
    depths = torch.zeros(len(bundle))
    if depth is not None:
        # distance along the ray = depth along the optical axis / cosine between the two
        lengths = np.linalg.norm(pixel_directions(camera)[pixels], axis=1).astype(np.float32)
        depths = torch.from_numpy(depth.reshape(-1)[pixels].astype(np.float32) * lengths)
    return SeenRays(bundle.origins, bundle.directions, bundle.near, bundle.far, colours, depths,
                    _centredness(camera)[pixels])


@lru_cache(maxsize=LENSES)
def pixel_directions(camera: Camera) -> np.ndarray:
    """Return the directions (N, 3) of all pixels, with z = 1 in the camera frame."""
    rows, columns = np.indices((camera.height_px, camera.width_px)).reshape(2, -1)
    normalized = camera.normalize(np.stack([columns, rows], axis=1) + PIXEL_CENTRE)
    return np.column_stack([normalized, np.ones(len(normalized))])


@lru_cache(maxsize=LENSES)
def _centredness(camera: Camera) -> Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, camera.height_px), torch.linspace(-1, 1, camera.width_px),
                          indexing="ij")
    return torch.exp(-0.5 * (x * x + y * y)).reshape(-1)


def up_to_surfaces(rays: SeenRays, margin: float) -> SeenRays:
    """Return rays that end `margin` behind the surface if their depth is known."""
    known = rays.depths > UNKNOWN_DEPTH
    return replace(rays, far=torch.where(known, torch.minimum(rays.far, rays.depths + margin), rays.far))


def tightened_to_box(rays: RayBundle, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return near and far (N,) of the part of each ray inside the box from `low` (3,) to `high` (3,) (slab method)."""
    inverse = 1.0 / torch.where(rays.directions.abs() < 1e-9, torch.full_like(rays.directions, 1e-9), rays.directions)
    one, other = (low - rays.origins) * inverse, (high - rays.origins) * inverse
    near = torch.maximum(torch.minimum(one, other).amax(dim=1), rays.near)
    far = torch.minimum(torch.maximum(one, other).amin(dim=1), rays.far)
    return near, torch.maximum(far, near)
