"""Gradient steps on learned codes: keys, positions and one temperature, by Adam.

The gradient is written out, as that of a softmax over a thousand codes is two products of matrices; autograd needs
three. An error is relative to the distance from which a point was seen, so that it means the same in an image of any
camera and in a map of any scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

KEY_RATE, POSITION_RATE_SHARE, TEMPERATURE_RATE = 0.002, 0.005, 0.01
"""Learning rates: of keys, of positions as a share of the distance to what is seen, of the temperature's logarithm."""

FIRST_TEMPERATURE = 20.0
BATCH = 512
FIRST_CLAMP, LAST_CLAMP = 0.1, 0.01
"""Errors beyond these count less and less: 50 px and 5 px of a camera of 525 px focal length. The clamp falls
along a quarter circle."""

NOISE = 0.25
"""Features of images not mapped differ from those that were, or from a code's mean, by about so much. Without it codes
learn the mapped ones by heart."""

MOMENT, SQUARE_MOMENT, TINY = 0.9, 0.999, 1e-8
SMALLEST = 1e-9

WEIGHTS_AT_ONCE = 2**19
"""Numbers in a matrix of attention: more leave a processor's cache, and memory asked for anew each time takes longer
than what is computed in it."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Features whose place is known.

    Attributes:
        descriptors: (N, D) unit length.
        points: (N, 3) where they lie, around the learner's origin.
        distances: (N,) from which they were seen.
    """

    descriptors: Tensor
    points: Tensor
    distances: Tensor

    def __len__(self) -> int:
        return len(self.descriptors)

    def rows(self, rows: Tensor | slice) -> Samples:
        """Return the samples of some rows, by mask, index or slice."""
        return Samples(self.descriptors[rows], self.points[rows], self.distances[rows])

    def and_(self, other: Samples) -> Samples:
        """Return these samples and others after them."""
        pairs = zip(vars(self).values(), vars(other).values())
        return Samples(*(torch.cat(pair) for pair in pairs))


class _Parameter:
    """A tensor with Adam's moments, by row, as rows begin anew at different times."""

    def __init__(self, values: Tensor, rate: float) -> None:
        self.values, self.rate = values, rate
        self._first, self._second = torch.zeros_like(values), torch.zeros_like(values)
        self._steps = 0

    def descend(self, gradient: Tensor, share: float) -> None:
        self._steps += 1
        self._first.mul_(MOMENT).add_(gradient, alpha=1.0 - MOMENT)
        self._second.mul_(SQUARE_MOMENT).addcmul_(gradient, gradient, value=1.0 - SQUARE_MOMENT)
        unbiased = (self._second / (1.0 - SQUARE_MOMENT**self._steps)).sqrt_().add_(TINY)
        self.values.addcdiv_(self._first, unbiased, value=-share * self.rate / (1.0 - MOMENT**self._steps))

    def replace(self, rows: Tensor, values: Tensor) -> None:
        """Begin rows anew; those beyond the end are appended."""
        missing = max(int(rows.max()) + 1 - len(self.values), 0)
        for name in ("values", "_first", "_second"):
            tensor: Tensor = getattr(self, name)
            setattr(self, name, torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])]))
        self.values[rows] = values
        self._first[rows] = 0.0

    def keep(self, rows: Tensor) -> None:
        """Remove all rows but some."""
        for name in ("values", "_first", "_second"):
            setattr(self, name, getattr(self, name)[rows])


class CodeOptimizer:
    """Codes of one scene that are learned.

    Attributes:
        usage: (M,) running mean of the attention that each code gets, 1 on average.
    """

    def __init__(self, first: Samples) -> None:
        """Begin with a code at every sample, at least one."""
        self._keys = _Parameter(first.descriptors.clone(), KEY_RATE)
        self._positions = _Parameter(first.points.clone(), POSITION_RATE_SHARE * float(first.distances.median()))
        self._log_temperature = _Parameter(torch.tensor(math.log(FIRST_TEMPERATURE)), TEMPERATURE_RATE)
        self.usage = torch.ones(len(first))

    def __len__(self) -> int:
        return len(self.usage)

    @property
    def keys(self) -> Tensor:
        """Keys (M, D), the temperature in them."""
        return self._keys.values * self._log_temperature.values.exp()

    @property
    def positions(self) -> Tensor:
        """Positions (M, 3) around the learner's origin."""
        return self._positions.values

    @torch.no_grad()
    def errors(self, samples: Samples) -> Tensor:
        """Return how far off the answers (N,) are, as a share of the distance."""
        keys = self.keys
        points = [torch.softmax(descriptors @ keys.T, dim=1) @ self.positions
                  for descriptors in samples.descriptors.split(self._rows_at_once)]
        return (torch.cat(points) - samples.points).norm(dim=1) / samples.distances

    @property
    def _rows_at_once(self) -> int:
        return max(WEIGHTS_AT_ONCE // len(self), 1)

    @torch.no_grad()
    def step(self, batch: Samples, clamp: float, rate: float) -> Tensor:
        """Learn from a batch once and return the errors (B,) before, as shares of the distance.

        The loss is clamp * log(1 + error / clamp): that of ACE, clamp * tanh(error / clamp), gives up what it is far
        off from, and with it whole views.

        Args:
            rate: share of the learning rates.
        """
        scaled = batch.descriptors * self._log_temperature.values.exp()
        places = torch.cat([self.positions, torch.ones(len(self), 1)], dim=1)
        of_keys, of_places, errors = torch.zeros_like(self._keys.values), torch.zeros_like(places), []
        for rows in torch.arange(len(batch)).split(self._rows_at_once):
            weights = torch.softmax(scaled[rows] @ self._keys.values.T, dim=1)
            points = weights @ self.positions
            of_points, off = _of_points(points, batch.rows(rows), clamp)
            of_points /= len(batch)
            errors.append(off)
            of_places.addmm_(weights.T, torch.nn.functional.pad(of_points, (0, 1), value=1.0 / len(batch)))
            by_scatter = torch.cat([of_points, -(of_points * points).sum(1, keepdim=True)], dim=1)
            of_keys.addmm_((by_scatter @ places.T).mul_(weights).T, scaled[rows])
        self.usage.lerp_(of_places[:, 3] * len(self), 0.01)
        of_log_temperature = (of_keys * self._keys.values).sum()
        self._keys.descend(of_keys, rate)
        self._positions.descend(of_places[:, :3], rate)
        self._log_temperature.descend(of_log_temperature, rate)
        return torch.cat(errors)

    def begin_anew(self, rows: Tensor, samples: Samples) -> None:
        """Have codes (R,) stand for samples (R,); rows beyond the last code are new codes."""
        self._keys.replace(rows, samples.descriptors)
        self._positions.replace(rows, samples.points)
        self.usage = torch.cat([self.usage, torch.ones(len(self._keys.values) - len(self))])
        self.usage[rows] = 1.0

    def drop_least_used(self, count: int) -> None:
        """Remove so many codes, those that got least attention."""
        rows = self.usage.argsort()[count:].sort().values
        self._keys.keep(rows)
        self._positions.keep(rows)
        self.usage = self.usage[rows]


def _of_points(points: Tensor, batch: Samples, clamp: float) -> tuple[Tensor, Tensor]:
    """Return the gradient (B, 3) of each answer's loss by the answer (B, 3), and the errors (B,)."""
    residual = points - batch.points
    length = residual.norm(dim=1).clamp_(min=SMALLEST)
    errors = length / batch.distances
    return residual / ((1.0 + errors / clamp) * batch.distances * length)[:, None], errors


@contextmanager
def without_denormals() -> Iterator[None]:
    """Have numbers too small for float32's normal range be 0: attention makes many of them, which take a CPU a hundred
    times as long."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


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
