"""A replay buffer of frames bounded in bytes: images compressed, depth as 16 bits, rays computed when sampled."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from cl_localization.continual.admission import Reservoir
from cl_localization.continual.buffer_file import load_buffer, save_buffer
from cl_localization.continual.replay_buffer import ReplayBuffer
from cl_localization.continual.sampling import sampling_of
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.options import MemoryConfig
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View

FRAMES_A_DRAW, PIXELS_A_DRAW = (16, 64), 1 << 18
"""Least and largest number of frames to sample rays from, and the number of pixels to decompress between these."""

DEPTH_STEP_M = 0.001
LARGEST_DEPTH_STEP = 65534


class FrameMemory:
    """Compressed views within `memory_bytes`; a uniform sample of all views offered.

    Attributes:
        buffer: images and depth as bytes, poses and intrinsics as arrays; the trait loss is the image's mean.
    """

    def __init__(self, config: MemoryConfig, near: float, far: float, seed: int = 0) -> None:
        self.config, self.near, self.far = config, near, far
        self.buffer = ReplayBuffer(Reservoir(), capacity_bytes=config.memory_bytes, seed=seed)
        self.sampling = sampling_of(config.sample_mode, config.exploration_ratio, 0.0)

    def __len__(self) -> int:
        return len(self.buffer)

    def save(self, path: Path) -> None:
        """Write the frames to a file; raises DataError if it cannot be written."""
        save_buffer(self.buffer, path)

    def resume(self, path: Path) -> None:
        """Load the frames and the bound of a saved memory; raises DataError as `load_buffer`."""
        self.buffer = load_buffer(path, self.buffer.policy)

    def offer(self, views: Sequence[View], losses: Sequence[float]) -> np.ndarray:
        """Offer views with the mean losses of their rays and return the slot (N,) of each, -1 for those not kept.

        Raises:
            DataError: a frame is larger than the memory, or cannot be compressed.
        """
        items: dict[str, np.ndarray | list[bytes]] = {
                 "image": [compressed(view.image, self.config) for view in views],
                 "depth": [b"" if view.depth is None else compressed_depth(view.depth) for view in views],
                 "pose": np.stack([view.world_T_cam for view in views]),
                 "intrinsics": np.stack([_intrinsics(view.camera) for view in views])}
        return self.buffer.offer(items, losses=np.asarray(losses, float))

    def draw(self, count: int) -> tuple[SeenRays, np.ndarray]:
        """Return `count` rays of a few stored frames, and the slot (count,) of each ray's frame."""
        width, height = self.buffer.columns.rows(slice(1))["intrinsics"][0][:2] if len(self) else (1, 1)
        frames = int(np.clip(PIXELS_A_DRAW // (width * height), *FRAMES_A_DRAW))
        slots, columns = self.buffer.sample(min(frames, len(self)), self.sampling)
        shares = np.bincount(np.arange(count) % len(slots), minlength=len(slots))
        parts = []
        for number, share in enumerate(shares):
            view = _view(columns, number)
            pixels = self.buffer.rng.integers(view.camera.width_px * view.camera.height_px, size=share)
            parts.append(view.rays(self.near, self.far, pixels))
        return SeenRays.joined(parts), np.repeat(slots, shares)

    def views(self, slots: np.ndarray) -> list[View]:
        """Return the frames in slots (N,)."""
        columns = self.buffer.columns.rows(slots)
        return [_view(columns, number) for number in range(len(slots))]

    def measured_poses(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the slots (N,) of frames with depth, and their world_T_cam (N, 4, 4)."""
        if not len(self):
            return np.zeros(0, int), np.zeros((0, 4, 4))
        columns = self.buffer.columns.rows(slice(None))
        slots = np.array([slot for slot, depth in enumerate(columns["depth"]) if depth], int)
        return slots, columns["pose"][slots]

    def update_losses(self, slots: np.ndarray, losses: Tensor) -> None:
        """Update the mean losses of frames whose rays were replayed."""
        drawn, ray = np.unique(slots, return_inverse=True)
        sums = np.bincount(ray, weights=losses.cpu().numpy())
        self.buffer.refresh(drawn, sums / np.bincount(ray))


def compressed(image: np.ndarray, config: MemoryConfig) -> bytes:
    """Return an image (H, W, 3) uint8 as PNG or JPEG."""
    options = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality] if config.image_format == "jpeg" else []
    return _encoded(f".{config.image_format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)


def compressed_depth(depth: np.ndarray) -> bytes:
    """Return depth (H, W) [m] as 16-bit PNG in millimetres."""
    return _encoded(".png", np.clip(np.rint(depth / DEPTH_STEP_M), 0, LARGEST_DEPTH_STEP).astype(np.uint16), [])


def _encoded(suffix: str, pixels: np.ndarray, options: list[int]) -> bytes:
    return cv2.imencode(suffix, pixels, options)[1].tobytes()


def _decoded(packed: bytes, flags: int) -> np.ndarray:
    """Return the pixels of what `_encoded` made; that a file's are readable is checked when it is loaded."""
    pixels: Any = cv2.imdecode(np.frombuffer(packed, np.uint8), flags)
    return pixels


def _intrinsics(camera: Camera) -> np.ndarray:
    if camera.distortion_model != "none":
        raise DataError("camera of a frame for replay", "must be without distortion", camera.distortion_model,
                        "rectify the images")
    return np.array([camera.width_px, camera.height_px, camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px])


def _view(columns: dict[str, np.ndarray], number: int) -> View:
    width, height, fx, fy, cx, cy = columns["intrinsics"][number].tolist()
    image = cv2.cvtColor(_decoded(columns["image"][number], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    packed = columns["depth"][number]
    depth = _decoded(packed, cv2.IMREAD_UNCHANGED) * np.float32(DEPTH_STEP_M) if packed else None
    return View("replayed", Camera(int(width), int(height), fx, fy, cx, cy), columns["pose"][number],
                image, depth)
