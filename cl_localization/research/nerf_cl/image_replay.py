"""Replay of whole images of earlier tasks, compressed: in the bytes of a few rays there is room for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from cl_localization.nerf.frame_memory import FrameMemory
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.options import NerfConfig, OnlineConfig

RAY_BYTES = 44
"""Bytes of a ray in the original's buffer: origin, direction, bounds and colour as 11 floats."""


class ImageReplay:
    """The images of earlier tasks as PNG, an even sample of them where they exceed the bytes of `buffer_size` rays."""

    def __init__(self, config: NerfConfig, views: Sequence[View]) -> None:
        """Keep what fits; raises DataError for an image larger than the buffer."""
        bounds = OnlineConfig(memory_bytes=RAY_BYTES * config.replay.buffer_size)
        self.memory = FrameMemory(bounds, config.near, config.far, config.learning.seed)
        self.memory.offer(views, [0.0] * len(views))

    @property
    def size_bytes(self) -> int:
        """Bytes kept."""
        return self.memory.buffer.size_bytes

    def draw(self, count: int) -> tuple[np.ndarray, SeenRays]:
        """Return rays for a step, and the slots of their images."""
        rays, slots = self.memory.draw(count)
        return slots, rays

    def update_losses(self, slots: np.ndarray, losses: Tensor) -> None:
        """Do nothing: images are drawn evenly."""
