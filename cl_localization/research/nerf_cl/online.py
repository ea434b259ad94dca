"""Online learning: frames arrive in chunks, are learned for a few steps with replay of what was seen, and are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.frame_memory import FrameMemory
from cl_localization.nerf.learner import Batch, Field, Learner, render_rays
from cl_localization.nerf.rays import SeenRays, up_to_surfaces
from cl_localization.nerf.views import View, surface_of
from cl_localization.nerf.voxel_field import VoxelField
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.task import batch_size

RECORD_STRIDE = 7
"""Of every chunk, each so manieth ray is rendered before and after it is learned."""

SETTLED_RATE = 0.1
"""Factor on the learning rates at the end of settling."""

HIDDEN_MARGIN = 0.3
"""How far behind a measured surface rays are followed in training."""

AfterChunk = Callable[["OnlineTraining"], None]


@dataclass
class OnlineRecord:
    """What happened, chunk by chunk.

    Attributes:
        seconds: time of learning each chunk.
        before_db, after_db: PSNR of each chunk's frames before and after they were learned, on some of their rays.
        kept: frames in memory after each chunk.
        settling_seconds: time of the steps after the stream.
    """

    seconds: list[float] = field(default_factory=list)
    before_db: list[float] = field(default_factory=list)
    after_db: list[float] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)
    settling_seconds: float = 0.0


class OnlineTraining:
    """Learns a stream of views.

    Attributes:
        chunk: how many chunks are learned.
        memory: what may be replayed.
    """

    def __init__(self, field: Field, config: NerfConfig, chunks: int) -> None:
        """Begin.

        Args:
            chunks: how many will come; learning rates and the grid follow from it.
        """
        self.field, self.config, self.chunk, self.record = field, config, 0, OnlineRecord()
        self.total_steps = chunks * config.online.iterations
        self.generator = torch.Generator().manual_seed(config.learning.seed)
        self.learner = Learner(field, config.learning.depth_weight, self.generator)
        self.memory = FrameMemory(config.online, config.near, config.far, config.learning.seed)
        self.batch_size = batch_size(config)

    def learn(self, views: Sequence[View]) -> None:
        """Learn one chunk of frames."""
        rays = SeenRays.joined([view.rays(self.config.near, self.config.far) for view in views])
        sparse = rays.rows(slice(None, None, RECORD_STRIDE))
        self.record.before_db.append(self._psnr_of(sparse))
        start = time.perf_counter()
        if isinstance(self.field, VoxelField) and views[0].depth is not None:
            self._add_surfaces(views)
        share = max(self.config.online.newest_share, len(views) / (len(views) + len(self.memory)))
        for _ in range(self.config.online.iterations):
            self._step(rays, share)
        self.record.seconds.append(time.perf_counter() - start)
        self.record.after_db.append(self._psnr_of(sparse))
        if self.config.online.method != "none":
            self.memory.offer(views, [10 ** (-self.record.after_db[-1] / 10)] * len(views))
        self.record.kept.append(len(self.memory))
        self.chunk += 1

    def run(self, views: Sequence[View], after_chunk: AfterChunk = lambda training: None) -> None:
        """Learn the chunks of a stream that are not learned yet."""
        chunks = chunks_of(views, self.config)[self.chunk:]
        for chunk in chunks:
            self.learn(chunk)
            after_chunk(self)
        if chunks:
            self.settle()

    def settle(self) -> None:
        """Replay what is kept once more after the stream, at falling learning rates."""
        start, steps = time.perf_counter(), self.config.online.settle_steps
        if self.config.online.method != "replay" or len(self.memory) == 0:
            return
        for number in range(steps):
            self.field.before_step(self.learner.steps, self.total_steps, float(self.chunk))
            for group in self.field.optimizer.param_groups:
                group["lr"] *= SETTLED_RATE ** ((number + 1) / steps)
            rays, slots = self.memory.draw(self.batch_size)
            found = self.learner.step([self._batch(rays, 1.0)])
            if not found.skipped:
                self.memory.update_losses(slots, found.losses[0])
        self.record.settling_seconds = time.perf_counter() - start

    def psnr_db(self, views: Sequence[View]) -> float:
        """Return the mean PSNR of views."""
        return float(np.mean([psnr_of(self.field, self.config, view) for view in views]))

    def _psnr_of(self, rays: SeenRays) -> float:
        return psnr_db(render_rays(self.field, rays, self.config.render.chunk).colours, rays.colours)

    def _add_surfaces(self, views: Sequence[View]) -> None:
        for view in views:
            points, colours = (torch.from_numpy(part).to(self.field.device)
                               for part in surface_of(view, self.config.near, self.config.far))
            self.field.add_surface(points, colours)

    def _step(self, rays: SeenRays, newest_share: float) -> None:
        online = self.config.online
        self.field.before_step(self.learner.steps, self.total_steps, float(self.chunk))
        replays = len(self.memory) > 0 and online.method != "none"
        # With replay in the loss a step has as many rays as without, each of the same weight: the comparison is one of
        # equal work.
        mixes = replays and online.method == "replay"
        share = newest_share if mixes else 1.0
        count = max(round(share * self.batch_size), 1)
        rows = torch.randint(len(rays), (count,), generator=self.generator)
        new = self._batch(rays.rows(rows), share)
        if not replays:
            self.learner.step([new])
            return
        old_rays, slots = self.memory.draw(max(self.batch_size - count, 1) if mixes else self.batch_size)
        old = self._batch(old_rays, 1.0 - share if mixes else 1.0)
        found = self.learner.step([new, old]) if mixes else self.learner.step([new], constraint=old)
        if not found.skipped:
            self.memory.update_losses(slots, found.losses[1])

    def _batch(self, rays: SeenRays, weight: float) -> Batch:
        return Batch(self.field.tightened(up_to_surfaces(rays, HIDDEN_MARGIN).to(self.field.device)), weight)


def chunks_of(views: Sequence[View], config: NerfConfig) -> list[Sequence[View]]:
    """Return the views in chunks as they arrive."""
    size = config.online.chunk_size
    return [views[begin:begin + size] for begin in range(0, len(views), size)]


def psnr_of(field: Field, config: NerfConfig, view: View) -> float:
    """Return the PSNR of one view [dB]."""
    rays = view.rays(config.near, config.far)
    return psnr_db(render_rays(field, rays, config.render.chunk).colours, rays.colours)
