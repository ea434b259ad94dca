"""Views of what is mapped: drawn from keyframes with depth, and from a radiance field trained on those without.

The number of images and the size of the scene need not be known. Memory is bounded: a replay memory keeps compressed
images, and the field's cells are enlarged when there are too many.

    field = LiveField(LiveNerfConfig())
    before_db = field.add(keyframe)           # PSNR before it was known: low for a new view
    field.learn(seconds=0.5)
    seen = field.render(world_T_cam, camera)  # image, depth, opacity
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from cl_localization.config import LiveNerfConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.frame_memory import FrameMemory
from cl_localization.nerf.keyframe_views import drawn_from, went_on
from cl_localization.nerf.learner import Batch, Learner, render_rays
from cl_localization.nerf.live_voxels import GrowingVoxels
from cl_localization.nerf.options import MemoryConfig, VoxelConfig
from cl_localization.nerf.rays import RayBundle, SeenRays, camera_rays, up_to_surfaces
from cl_localization.nerf.views import BYTES_PER_MB, NEAR_M, View, reduced, seen_cells, seen_points, size_px, surface_of

UNKNOWN_GREY = 0.5
"""Colour of unknown space."""

SPARSE_STRIDE = 13
"""Every 13th ray of a keyframe is rendered for its PSNR."""

HIDDEN_MARGIN_M = 0.3
"""Distance behind a measured surface where training rays end."""

MIN_OPACITY = 0.5
"""Least opacity of a pixel with depth."""

RENDER_CHUNK = 1024

VOXELS = VoxelConfig(voxels=512, upsample_at="", harmonics=1, density_rate=0.2, colour_rate=0.05)
"""Learning rates for an endless stream: a few steps learn a new place, without forgetting old ones."""

DEPTH_WEIGHT = 0.1
"""Weight of the depth error [m] of rays with measured depth."""


@dataclass(frozen=True, eq=False)
class LiveRender:
    """A rendered view.

    Attributes:
        image: (H, W, 3) uint8 RGB; grey where unknown.
        depth_m: (H, W) float32 along the optical axis, 0 where unknown.
        opacity: (H, W) float32 in [0, 1]; 0 is unknown.
    """

    image: np.ndarray
    depth_m: np.ndarray
    opacity: np.ndarray


class LiveField:
    """Takes keyframes as they arrive and trains on those without depth, or on all; not thread-safe.

    Attributes:
        field: the voxels; None before the first keyframe to train on.
        memory: the replayed keyframes.
        keyframes: number of keyframes taken.
        before_db: PSNR of the newest keyframe before training on it; low for a new view; NaN before the first.
        after_db: PSNR of the last keyframe measured `settle_steps` steps after it was taken, or when the next one was
            taken; NaN before the first.
        measured: whether keyframes have depth.
        restarts: number of restarts because cells would have become too large.
    """

    def __init__(self, config: LiveNerfConfig = LiveNerfConfig()) -> None:
        """Create an empty field."""
        self.config, self._generator = config, torch.Generator().manual_seed(config.seed)
        self.keyframes = self.restarts = 0
        self.before_db = self.after_db = math.nan
        self.measured, self._draws = False, config.views == "keyframes"
        self._steps_before = self._skipped_before = 0
        self.field: GrowingVoxels | None = None
        self._learner: Learner | None = None
        self._newest: SeenRays | None = None
        self._sparse_newest: SeenRays | None = None
        self.memory = self._new_memory()

    @property
    def steps(self) -> int:
        """Number of steps, including skipped ones."""
        return self._steps_before + (self._learner.steps if self._learner else 0)

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return self.field is not None

    @property
    def skipped(self) -> int:
        """Number of steps skipped because loss or gradient was not finite."""
        return self._skipped_before + (self._learner.skipped if self._learner else 0)

    @property
    def size_bytes(self) -> int:
        """Size of field and replayed keyframes in bytes."""
        return self.memory.buffer.size_bytes + (self.field.size_bytes if self.field else 0)

    def reduced(self, frame: Frame) -> Frame:
        """Return a frame at the field's resolution, without distortion; thread-safe.

        Raises:
            DataError, GeometryError: no pose, or an invalid one.
        """
        return reduced(frame, self.config.width_px, self.config.max_depth_m)

    def in_view(self, frame: Frame, points_m: np.ndarray) -> np.ndarray:
        """Return the world points (N, 3) in a reduced frame's view, none if they are too few; thread-safe."""
        return seen_points(_view_of(frame), self.config.max_depth_m, points_m)

    def add(self, frame: Frame, points_m: np.ndarray | None = None) -> float:
        """Add a keyframe and return its PSNR before it was known [dB], low for a new view; NaN if it is ignored.

        It is ignored if its range is unknown: it has no depth, and too few points are in view. Where all is learned,
        one without depth only trains cells at measured surfaces after keyframes with depth.

        Args:
            frame: with a pose, and optionally with depth.
            points_m: (N, 3) world points, such as the map's codes; they bound the view of a frame without depth.

        Raises:
            DataError, GeometryError: no or an invalid pose, or a memory too small for one keyframe.
        """
        view = _view_of(self.reduced(frame))
        if self._draws and view.depth is not None:
            return self._keep(view)
        bounds = seen_points(view, self.config.max_depth_m, points_m)
        if len(bounds) == 0 and (self._draws or not self.measured):
            return math.nan
        sparse = view.rays(NEAR_M, self.config.max_depth_m, slice(None, None, SPARSE_STRIDE))
        field = self.field if self.field is not None else self.begin_at(view.world_T_cam[:3, 3],
                                                                        self.config.cell_size_m)
        before_db = self._psnr_of(sparse)
        self._measure_after()
        if self._draws or view.depth is not None or not self.measured:
            self._make_room(field, view, bounds)
        self.memory.offer([view], [10 ** (-before_db / 10)])
        self._newest, self._sparse_newest = view.rays(NEAR_M, self.config.max_depth_m), sparse
        self._settled_at = self.steps + self.config.settle_steps
        self.keyframes, self.before_db = self.keyframes + 1, before_db
        return before_db

    def learn(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> int:
        """Train for some seconds, at least one step, none before the first keyframe; return the number of steps.

        Args:
            stop: called between steps, which take some 10 ms; True ends the training.
        """
        began_s, steps = time.perf_counter(), self.steps
        while self.field is not None and self._learner is not None and not stop():
            self._step(self.field, self._learner)
            if self._sparse_newest is not None and self.steps >= self._settled_at:
                self._measure_after()
            if time.perf_counter() - began_s >= seconds:
                break
        return self.steps - steps

    def render(self, world_T_cam: np.ndarray, camera: Camera,
               within: Callable[[], AbstractContextManager] = nullcontext) -> LiveRender:
        """Render the view of a camera at a pose (4, 4).

        Args:
            camera: camera of any size, also with distortion; `render_camera` returns one of a keyframe's size.
            within: context manager entered for each chunk of rays, for threads that take turns.

        Raises:
            DataError: the pose is not finite or singular.
        """
        rays = camera_rays(camera, world_T_cam, NEAR_M, self.config.max_depth_m)
        if not self._draws or not self.measured:
            return self._rendered(rays, world_T_cam, camera, within)
        with within():
            image, depth_m, known = drawn_from(self.memory, world_T_cam, camera)
        if self.field is None:
            grey = np.full_like(image, round(255 * UNKNOWN_GREY))
            image = went_on(np.where(known[..., None], image, grey), known)
            return LiveRender(image, depth_m, known.astype(np.float32))
        rest = self._rendered(rays.rows(torch.from_numpy(~known.reshape(-1))), world_T_cam, None, within)
        opacity = known.astype(np.float32)
        image[~known], depth_m[~known], opacity[~known] = rest.image[0], rest.depth_m[0], rest.opacity[0]
        return LiveRender(image, depth_m, opacity)

    def _rendered(self, rays: RayBundle, world_T_cam: np.ndarray, camera: Camera | None,
                  within: Callable[[], AbstractContextManager]) -> LiveRender:
        """Return what the field shows along rays, as an image of a camera, or of one row."""
        size = (camera.height_px, camera.width_px) if camera else (1, len(rays))
        if self.field is None or len(rays) == 0:
            nothing = np.zeros(size, np.float32)
            return LiveRender(np.full((*size, 3), round(255 * UNKNOWN_GREY), np.uint8), nothing, nothing.copy())
        parts = []
        for begin in range(0, len(rays), RENDER_CHUNK):
            with within():
                parts.append(render_rays(self.field, rays.rows(slice(begin, begin + RENDER_CHUNK)), RENDER_CHUNK))
        seen = type(parts[0]).joined(parts)
        opacity = seen.opacities.numpy().reshape(size)
        # remove the transparent part, which the field's depth counts with the far bound
        known = np.maximum(opacity, MIN_OPACITY)
        clear = self.config.max_depth_m * (1.0 - opacity)
        distances = (seen.depths.numpy().reshape(size) - clear) / known
        along_axis = (rays.directions.numpy() @ world_T_cam[:3, 2].astype(np.float32)).reshape(size)
        depth_m = np.where(opacity >= MIN_OPACITY, distances * along_axis, 0.0).astype(np.float32)
        image = np.rint(255 * seen.colours.clamp(0, 1).numpy()).astype(np.uint8).reshape(*size, 3)
        return LiveRender(image, depth_m, opacity)

    def render_camera(self, camera: Camera) -> Camera:
        """Return a camera scaled to the size of the field's keyframes, without distortion."""
        return camera.pinhole().scaled_to(*size_px(camera, self.config.width_px))

    def resume_counts(self, keyframes: int, steps: int, skipped: int) -> None:
        """Set the counts of a loaded field."""
        self.keyframes, self._steps_before, self._skipped_before = keyframes, steps, skipped

    def begin_at(self, centre: np.ndarray, edge_m: float) -> GrowingVoxels:
        """Start an empty field around a point (3,) with cells of length `edge_m`, and return it."""
        self._steps_before, self._skipped_before = self.steps, self.skipped
        if self.field is not None:
            self.memory = self._new_memory()
        self._newest = self._sparse_newest = None
        max_bytes = round(self.config.field_mb * BYTES_PER_MB)
        self.field = GrowingVoxels(VOXELS, centre, edge_m, UNKNOWN_GREY, self.config.max_depth_m, max_bytes)
        self._learner = Learner(self.field, DEPTH_WEIGHT, self._generator)
        return self.field

    def _keep(self, view: View) -> float:
        """Keep a keyframe to draw from, and return its PSNR before [dB]."""
        before_db = self._psnr_of_view(view)
        self.memory.offer([view], [10 ** (-before_db / 10)])
        self.measured, self.keyframes = True, self.keyframes + 1
        self.before_db, self.after_db = before_db, self._psnr_of_view(view)
        return before_db

    def _new_memory(self) -> FrameMemory:
        memory = MemoryConfig(memory_bytes=round(self.config.replay_mb * BYTES_PER_MB), image_format="jpeg")
        return FrameMemory(memory, NEAR_M, self.config.max_depth_m, self.config.seed)

    def _make_room(self, field: GrowingVoxels, view: View, bounds: np.ndarray) -> None:
        """Extend the field to the space of a view; restart it if its cells would become too large."""
        self.measured = self.measured or view.depth is not None
        for _ in range(2):
            field.hold(bounds.min(axis=0), bounds.max(axis=0))
            if view.depth is None:
                field.use_seen(seen_cells(field.cells.grid, view, bounds))
            else:
                points, colours = (torch.from_numpy(part) for part in surface_of(view, NEAR_M, self.config.max_depth_m))
                field.add_surface(points, colours)
            field.shrink_to_bound()
            if field.edge <= self.config.max_cell_size_m:
                return
            field = self.begin_at(view.world_T_cam[:3, 3], self.config.cell_size_m)
            self.restarts += 1
        raise DataError("option field_mb", f"must hold what one keyframe shows in cells of at most "
                                           f"{self.config.max_cell_size_m:g} m",
                        f"{self.config.field_mb:g} MB", "raise it")

    def _step(self, field: GrowingVoxels, learner: Learner) -> None:
        """Make a step."""
        field.before_step(learner.steps)
        new_count = 0 if self._newest is None else max(round(self.config.newest_share * self.config.rays), 1)
        old, slots = self.memory.draw(max(self.config.rays - new_count, 1))
        drawn = [old]
        if self._newest is not None:
            drawn.append(self._newest.rows(torch.randint(len(self._newest), (new_count,), generator=self._generator)))
        found = learner.step([Batch(field.tightened(up_to_surfaces(rays, HIDDEN_MARGIN_M))) for rays in drawn])
        if not found.skipped:
            self.memory.update_losses(slots, found.losses[0])

    def _measure_after(self) -> None:
        if self._sparse_newest is not None:
            self.after_db, self._sparse_newest = self._psnr_of(self._sparse_newest), None

    def _psnr_of_view(self, view: View) -> float:
        seen = self.render(view.world_T_cam, view.camera).image
        return psnr_db(torch.from_numpy(seen / 255), torch.from_numpy(view.image / 255))

    def _psnr_of(self, rays: SeenRays) -> float:
        if self.field is None:
            return psnr_db(torch.full_like(rays.colours, UNKNOWN_GREY), rays.colours)
        return psnr_db(render_rays(self.field, rays, RENDER_CHUNK).colours, rays.colours)


def _view_of(frame: Frame) -> View:
    world_T_cam: Any = frame.world_T_cam  # the reader of poses refuses None, with the name of the frame
    return View(frame.name, frame.camera, world_T_cam, frame.image, frame.depth_m)
