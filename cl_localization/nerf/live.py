"""A radiance field that lives beside a map: it takes keyframes one by one, learns for as long as it may, and shows what
it believes.

Nothing need be known beforehand: neither how many images come nor how large the world is. Memory is bounded: what was
seen is kept as compressed images in a replay memory, and the field's cells get larger when there are too many.

    field = LiveField(LiveNerfConfig())
    novelty_db = field.add(keyframe)          # how well it was known before
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
from cl_localization.nerf.frame_memory import FrameMemory
from cl_localization.nerf.learner import Batch, Learner, render_rays
from cl_localization.nerf.live_views import BYTES_PER_MB, NEAR_M, reduced, seen_cells, seen_points, size_px
from cl_localization.nerf.live_voxels import GrowingVoxels
from cl_localization.nerf.options import LearningConfig, OnlineConfig, VoxelConfig
from cl_localization.nerf.quality import psnr_db
from cl_localization.nerf.rays import SeenRays, camera_rays, up_to_surfaces
from cl_localization.nerf.views import View, surface_of

UNKNOWN_GREY = 0.5
"""What is shown where nothing is known."""

SPARSE_STRIDE = 13
"""Of a keyframe each so manieth ray is rendered for its PSNR."""

HIDDEN_MARGIN_M = 0.3
"""How far behind a measured surface rays are followed in learning."""

MIN_OPACITY = 0.5
"""Less opaque than this, and there is no depth."""

RENDER_CHUNK = 1024

VOXELS = VoxelConfig(voxels=512, upsample_at="", harmonics=1, density_rate=0.2, colour_rate=0.05)
"""Learning rates for a stream without an end: new places are learned in a few steps, and old ones stay."""

LEARNING = LearningConfig()


@dataclass(frozen=True)
class LiveProgress:
    """What a call of `learn` did.

    Attributes:
        steps: made, those that were skipped included.
        skipped: left out because the loss or its gradient was not finite.
        loss: mean squared error of the last step's replayed rays, NaN for none.
        seconds: what it took.
    """

    steps: int
    skipped: int
    loss: float
    seconds: float


@dataclass(frozen=True, eq=False)
class LiveRender:
    """What a field shows.

    Attributes:
        image: (H, W, 3) uint8 RGB; grey where nothing is known.
        depth_m: (H, W) float32 along the optical axis, 0 where nothing is known.
        opacity: (H, W) float32 in [0, 1]; how much is known.
    """

    image: np.ndarray
    depth_m: np.ndarray
    opacity: np.ndarray


class LiveField:
    """Learns from keyframes for as long as they come. Not thread-safe: one thread at a time.

    Attributes:
        field: what is known; None before the first keyframe.
        memory: the keyframes that are replayed.
        keyframes: taken so far.
        before_db: PSNR of the newest keyframe before it was learned (its novelty: low is new), NaN before the first.
        after_db: PSNR of the newest keyframe of which it is known, measured `settle_steps` steps after it was taken, or
            when the next was taken if that was earlier; NaN before.
        measured: whether keyframes have depth.
        restarts: how often it began anew because cells would have become too large.
    """

    def __init__(self, config: LiveNerfConfig = LiveNerfConfig()) -> None:
        """Begin without any knowledge."""
        self.config, self._generator = config, torch.Generator().manual_seed(config.seed)
        self.keyframes = self.restarts = 0
        self.before_db = self.after_db = math.nan
        self.measured = False
        self._steps_before = self._skipped_before = 0
        self.field: GrowingVoxels | None = None
        self._learner: Learner | None = None
        self._newest: SeenRays | None = None
        self._sparse_newest: SeenRays | None = None
        self.memory = self._new_memory()

    @property
    def steps(self) -> int:
        """Steps made, those that were skipped included."""
        return self._steps_before + (self._learner.steps if self._learner else 0)

    @property
    def skipped(self) -> int:
        """Steps left out because the loss or its gradient was not finite."""
        return self._skipped_before + (self._learner.skipped if self._learner else 0)

    @property
    def size_bytes(self) -> int:
        """What field and replayed keyframes take [B]."""
        return self.memory.buffer.size_bytes + (self.field.size_bytes if self.field else 0)

    def reduced(self, frame: Frame) -> Frame:
        """Return a frame as the field sees it: small, without distortion; from any thread.

        Raises:
            DataError, GeometryError: it has no pose, or one that is none.
        """
        return reduced(frame, self.config.width_px, self.config.max_depth_m)

    def in_view(self, frame: Frame, points_m: np.ndarray) -> np.ndarray:
        """Return the points (N, 3) of the world that a reduced frame sees, none where they are too few to tell how far;
        from any thread."""
        return seen_points(_view_of(frame), self.config.max_depth_m, points_m)

    def psnr_db(self, frame: Frame) -> float:
        """Return how well the field knows a frame [dB], by a part of its rays: low is new. Raises DataError for one
        without a pose."""
        return self._psnr_of(self._sparse(_view_of(self.reduced(frame))))

    def add(self, frame: Frame, points_m: np.ndarray | None = None) -> float:
        """Take a keyframe and return its PSNR before it is learned [dB]: low is new. NaN when it is left out.

        It is left out when nothing tells how far it sees: none had depth so far, and too few known points are in view.
        Once keyframes have depth, one without teaches only what lies where surfaces were measured.

        Args:
            frame: with a pose, and with depth if there is any.
            points_m: (N, 3) known points of the world, such as the map's codes; they bound what a frame without depth
                sees.

        Raises:
            DataError, GeometryError: no pose or one that is none, or a memory too small for one keyframe.
        """
        view = _view_of(self.reduced(frame))
        sparse = self._sparse(view)
        bounds = seen_points(view, self.config.max_depth_m, points_m)
        if len(bounds) == 0 and not self.measured:
            return math.nan
        field = self.field if self.field is not None else self.begin_at(view.world_T_cam[:3, 3],
                                                                        self.config.cell_size_m)
        before_db = self._psnr_of(sparse)
        self._measure_after()
        if view.depth is not None or not self.measured:
            self._make_room(field, view, bounds)
        self.memory.offer([view], [10 ** (-before_db / 10)])
        self._newest, self._sparse_newest, self._settled_at = (
            self._rays(view),
            sparse,
            self.steps + self.config.settle_steps,
        )
        self.keyframes, self.before_db = self.keyframes + 1, before_db
        return before_db

    def learn(self, seconds: float, stop: Callable[[], bool] = lambda: False) -> LiveProgress:
        """Make steps until time is over, at least one; none before the first keyframe.

        Args:
            stop: asked between steps, a step takes some ten milliseconds; True ends early.
        """
        began_s, steps, skipped, loss = time.perf_counter(), self.steps, self.skipped, math.nan
        while self.field is not None and self._learner is not None and not stop():
            found = self._step(self.field, self._learner)
            loss = found if found == found else loss
            if self._sparse_newest is not None and self.steps >= self._settled_at:
                self._measure_after()
            if time.perf_counter() - began_s >= seconds:
                break
        return LiveProgress(self.steps - steps, self.skipped - skipped, loss, time.perf_counter() - began_s)

    def render(self, world_T_cam: np.ndarray, camera: Camera,
               within: Callable[[], AbstractContextManager] = nullcontext) -> LiveRender:
        """Return what a camera at a pose (4, 4) would see.

        Args:
            camera: of any size, distortion too; `render_camera` gives that of a keyframe's size.
            within: gives what surrounds each piece of the work, for who takes turns with others.

        Raises:
            DataError: a pose that is not finite or singular.
        """
        rays = camera_rays(camera, world_T_cam, NEAR_M, self.config.max_depth_m)
        size = camera.height_px, camera.width_px
        if self.field is None:
            nothing = np.zeros(size, np.float32)
            return LiveRender(np.full((*size, 3), round(255 * UNKNOWN_GREY), np.uint8), nothing, nothing.copy())
        parts = []
        for begin in range(0, len(rays), RENDER_CHUNK):
            with within():
                parts.append(render_rays(self.field, rays.rows(slice(begin, begin + RENDER_CHUNK)), RENDER_CHUNK))
        seen = type(parts[0]).joined(parts)
        opacity = seen.opacities.numpy().reshape(size)
        # What is clear counts as the farthest distance in a field's depth; here it has none.
        known = np.maximum(opacity, MIN_OPACITY)
        clear = self.config.max_depth_m * (1.0 - opacity)
        distances = (seen.depths.numpy().reshape(size) - clear) / known
        along_axis = (rays.directions.numpy() @ world_T_cam[:3, 2].astype(np.float32)).reshape(size)
        depth_m = np.where(opacity >= MIN_OPACITY, distances * along_axis, 0.0).astype(np.float32)
        image = np.rint(255 * seen.colours.clamp(0, 1).numpy()).astype(np.uint8).reshape(*size, 3)
        return LiveRender(image, depth_m, opacity)

    def render_camera(self, camera: Camera) -> Camera:
        """Return a camera at the size of the field's keyframes, without distortion."""
        return camera.pinhole().scaled_to(*size_px(camera, self.config.width_px))

    def resume_counts(self, keyframes: int, steps: int, skipped: int) -> None:
        """Go on counting from there."""
        self.keyframes, self._steps_before, self._skipped_before = keyframes, steps, skipped

    def begin_at(self, centre: np.ndarray, edge_m: float) -> GrowingVoxels:
        """Forget all, be ready to learn around a point (3,) in cells of length `edge_m`, and return the empty field."""
        self._steps_before, self._skipped_before = self.steps, self.skipped
        self.memory, self._newest, self._sparse_newest = self._new_memory(), None, None
        max_bytes = round(self.config.field_mb * BYTES_PER_MB)
        self.field = GrowingVoxels(VOXELS, centre, edge_m, UNKNOWN_GREY, self.config.max_depth_m, max_bytes)
        self._learner = Learner(self.field, LEARNING, self._generator)
        return self.field

    def _new_memory(self) -> FrameMemory:
        online = OnlineConfig(memory_bytes=round(self.config.replay_mb * BYTES_PER_MB), image_format="jpeg")
        return FrameMemory(online, NEAR_M, self.config.max_depth_m, self.config.seed)

    def _make_room(self, field: GrowingVoxels, view: View, bounds: np.ndarray) -> None:
        """Have the field hold what a view shows; begin anew if cells would become too large for that."""
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

    def _step(self, field: GrowingVoxels, learner: Learner) -> float:
        """Make a step, and return its loss; NaN for one that was skipped."""
        field.before_step(learner.steps)
        new_count = 0 if self._newest is None else max(round(self.config.newest_share * self.config.rays), 1)
        old, slots = self.memory.draw(max(self.config.rays - new_count, 1))
        drawn = [old]
        if self._newest is not None:
            drawn.append(self._newest.rows(torch.randint(len(self._newest), (new_count,), generator=self._generator)))
        found = learner.step([Batch(field.tightened(up_to_surfaces(rays, HIDDEN_MARGIN_M))) for rays in drawn])
        if not found.skipped:
            self.memory.update_losses(slots, found.losses[0])
        return found.mean

    def _measure_after(self) -> None:
        if self._sparse_newest is not None:
            self.after_db, self._sparse_newest = self._psnr_of(self._sparse_newest), None

    def _rays(self, view: View) -> SeenRays:
        return view.rays(NEAR_M, self.config.max_depth_m)

    def _sparse(self, view: View) -> SeenRays:
        return view.rays(NEAR_M, self.config.max_depth_m, slice(None, None, SPARSE_STRIDE))

    def _psnr_of(self, rays: SeenRays) -> float:
        if self.field is None:
            return psnr_db(torch.full_like(rays.colours, UNKNOWN_GREY), rays.colours)
        return psnr_db(render_rays(self.field, rays, RENDER_CHUNK).colours, rays.colours)


def _view_of(frame: Frame) -> View:
    world_T_cam: Any = frame.world_T_cam  # the reader of poses refuses None, with the name of the frame
    return View(frame.name, frame.camera, world_T_cam, frame.image, frame.depth_m)
