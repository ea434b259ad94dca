"""Rendered images, depth maps and films as files."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cl_localization.data.atomic import written_file
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.compositing import Rendered
from cl_localization.nerf.learner import Field, render_rays
from cl_localization.nerf.rays import camera_rays
from cl_localization.research.nerf_cl.options import NerfConfig

FILM_PERIOD_MS = 40


def render_view(
    field: Field, config: NerfConfig, camera: Camera, world_T_cam: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return image (H, W, 3) uint8 RGB and depth along the optical axis (H, W) float32 as a camera would see them."""
    rays = camera_rays(camera, world_T_cam, config.near, config.far)
    seen = render_rays(field, rays, config.render.chunk)
    cosines = (rays.directions.numpy() @ world_T_cam[:3, 2]).astype(np.float32)
    shape = (camera.height_px, camera.width_px)
    return as_image(seen, shape), (seen.depths.numpy() * cosines).reshape(shape)


def as_image(seen: Rendered, shape: tuple[int, int]) -> np.ndarray:
    """Return what the rays of all pixels saw as (H, W, 3) uint8."""
    return np.rint(seen.colours.clamp(0, 1).numpy() * 255).astype(np.uint8).reshape(*shape, 3)


def write_image(image: np.ndarray, path: Path) -> None:
    """Write an image (H, W, 3) uint8 RGB as PNG."""
    _write_encoded(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), path)


def write_depth_image(depth: np.ndarray, far: float, path: Path) -> None:
    """Write depth (H, W) as coloured PNG, from 0 to `far`."""
    grey = np.clip(255 * depth / far, 0, 255).astype(np.uint8)
    _write_encoded(cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS), path)


def write_depth(depth: np.ndarray, path: Path) -> None:
    """Write depth (H, W): `.pfm` as portable float map, rows from the bottom; any other ending as float32 bytes, rows
    from the top."""
    depth = np.ascontiguousarray(depth, "<f4" if sys.byteorder == "little" else ">f4")
    with written_file(path, force=True) as temporary:
        if path.suffix == ".pfm":
            scale = -1.0 if sys.byteorder == "little" else 1.0
            temporary.write_bytes(f"Pf\n{depth.shape[1]} {depth.shape[0]}\n{scale}\n".encode()
                                  + np.flipud(depth).tobytes())
        else:
            temporary.write_bytes(depth.tobytes())


def write_film(images: list[np.ndarray], path: Path) -> None:
    """Write images (H, W, 3) uint8 RGB as an animated GIF."""
    first, *rest = [Image.fromarray(image) for image in images]
    with written_file(path, force=True) as temporary:
        first.save(temporary, format="GIF", save_all=True, append_images=rest, duration=FILM_PERIOD_MS, loop=0)


def _write_encoded(pixels: np.ndarray, path: Path) -> None:
    with written_file(path, force=True) as temporary:
        temporary.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
