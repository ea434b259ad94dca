"""How rate and clamp fall while codes are learned to the end."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from cl_localization.mapping.learned.optimizer import CodeOptimizer, Samples, without_denormals

BATCH = 512
FIRST_CLAMP, LAST_CLAMP = 0.1, 0.002
"""Errors beyond these count little: 50 px and 1 px of a camera of 525 px focal length, as ACE's. The clamp falls along a
quarter circle."""


def falling(steps: int, first_clamp: float = FIRST_CLAMP) -> Iterator[tuple[float, float]]:
    """Yield clamp and share of the learning rate of every step, to the end."""
    for step in range(steps):
        progress = step / steps
        yield (LAST_CLAMP + first_clamp * math.sqrt(1.0 - progress**2), 0.5 + 0.5 * math.cos(math.pi * progress))


def learn_to_the_end(codes: CodeOptimizer, samples: Samples, steps: int, generator: torch.Generator,
                     first_clamp: float = FIRST_CLAMP, noise: float = 0.0) -> None:
    """Learn from samples in random batches at a falling rate.

    Args:
        noise: length of random vectors that are added to descriptors.
    """
    with without_denormals():
        for clamp, rate in falling(steps, first_clamp):
            batch = samples.rows(torch.randint(len(samples), (BATCH,), generator=generator))
            codes.step(noisy(batch, noise, generator) if noise else batch, clamp, rate)


def noisy(batch: Samples, noise: float, generator: torch.Generator) -> Samples:
    """Return samples whose descriptors point elsewhere by random vectors of a length."""
    shape = batch.descriptors.shape
    moved = batch.descriptors + noise / math.sqrt(shape[1]) * torch.randn(shape, generator=generator)
    return Samples(torch.nn.functional.normalize(moved, dim=1), batch.points, batch.distances, batch.scenes)
