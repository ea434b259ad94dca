"""How rate and clamp fall while codes are learned to the end."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from cl_localization.mapping.learned.optimizer import CodeOptimizer, Samples, without_denormals

BATCH = 512
FIRST_CLAMP, LAST_CLAMP = 0.1, 0.01
"""Errors beyond these count less and less: 50 px and 5 px of a camera of 525 px focal length. The clamp falls
along a quarter circle."""

NOISE = 0.25
"""Features of images not mapped differ from those that were, or from a code's mean, by about so much. Without it codes
learn the mapped ones by heart."""


def falling(steps: int, first_clamp: float = FIRST_CLAMP) -> Iterator[tuple[float, float]]:
    """Yield clamp and share of the learning rate of every step, to the end."""
    for step in range(steps):
        progress = step / steps
        yield (LAST_CLAMP + first_clamp * math.sqrt(1.0 - progress**2), 0.5 + 0.5 * math.cos(math.pi * progress))


def learn_to_the_end(codes: CodeOptimizer, samples: Samples, steps: int, generator: torch.Generator,
                     first_clamp: float = FIRST_CLAMP) -> None:
    """Learn from samples in random batches at a falling rate, their descriptors changed at random."""
    with without_denormals():
        for clamp, rate in falling(steps, first_clamp):
            batch = samples.rows(torch.randint(len(samples), (BATCH,), generator=generator))
            codes.step(changed(batch, generator), clamp, rate)


def changed(batch: Samples, generator: torch.Generator) -> Samples:
    """Return samples whose descriptors point elsewhere by random vectors of length `NOISE`."""
    shape = batch.descriptors.shape
    moved = batch.descriptors + NOISE / math.sqrt(shape[1]) * torch.randn(shape, generator=generator)
    return Samples(torch.nn.functional.normalize(moved, dim=1), batch.points, batch.distances)
