"""Sampling from a replay buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.errors import ConfigError, DataError


class Sampling(Protocol):
    """Draws slots, by the losses of their items."""

    def draw(self, losses: np.ndarray, count: int, rng: np.random.Generator,
             prior: np.ndarray | None = None) -> np.ndarray:
        """Return slots (count,), without repeats if there are enough.

        Args:
            losses: (N,) last known loss of each stored item, N >= 1.
            prior: (N,) further weights, such as the proximity to the image's centre.
        """
        ...


class UniformSampling:
    """Draws every item with the same probability."""

    def draw(self, losses: np.ndarray, count: int, rng: np.random.Generator,
             prior: np.ndarray | None = None) -> np.ndarray:
        """See `Sampling`."""
        return _drawn(np.ones(len(losses)), count, rng)


class HighestLossSampling:
    """Always takes the items of largest loss (NeRF-CL's sample mode topk)."""

    def draw(self, losses: np.ndarray, count: int, rng: np.random.Generator,
             prior: np.ndarray | None = None) -> np.ndarray:
        """See `Sampling`."""
        order = np.argsort(-losses, kind="stable")
        return np.resize(order, count)


@dataclass(frozen=True)
class LossWeightedSampling:
    """Draws with probability proportional to loss and prior, and a share uniformly from the rest (NeRF-CL C5).

    Attributes:
        exploration_share: share drawn uniformly from the items not drawn by weight, 0 to 1.
        prior_share: weight of the prior against the losses, both normalised, 0 to 1; NeRF-CL's imgcentre_ratio.
    """

    exploration_share: float = 0.2
    prior_share: float = 0.3

    def __post_init__(self) -> None:
        for name in ("exploration_share", "prior_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise DataError(f"sampling {name}", "must lie in [0, 1]", getattr(self, name))

    def draw(self, losses: np.ndarray, count: int, rng: np.random.Generator,
             prior: np.ndarray | None = None) -> np.ndarray:
        """See `Sampling`."""
        explored = int(self.exploration_share * count)
        weights = _normalised(losses)
        if prior is not None:
            weights = self.prior_share * _normalised(prior) + (1.0 - self.prior_share) * weights
        by_weight = _drawn(weights, count - explored, rng)
        rest = np.ones(len(losses))
        rest[by_weight] = 0.0
        return np.r_[by_weight, _drawn(rest, explored, rng)]


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Return weights with sum 1; uniform if all are zero or not finite."""
    weights = np.where(np.isfinite(weights) & (weights > 0), weights, 0.0).astype(np.float64)
    return weights / weights.sum() if weights.sum() > 0 else np.full(len(weights), 1.0 / len(weights))


def _drawn(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` rows drawn by weight, without repeats if enough have a weight."""
    weights = _normalised(weights)
    enough = np.count_nonzero(weights) >= count
    if not enough:
        return rng.choice(len(weights), count, replace=True, p=weights)
    # the smallest exponential variates of rate w are a weighted draw without replacement (Efraimidis and Spirakis)
    variates = np.full(len(weights), np.inf)
    some = weights > 0
    variates[some] = rng.exponential(size=some.sum()) / weights[some]
    return np.argpartition(variates, count - 1)[:count] if count else np.zeros(0, dtype=np.int64)


def sampling_of(mode: str, exploration_share: float, prior_share: float) -> Sampling:
    """Return the sampling that a mode names.

    Raises:
        ConfigError: a preference for centres with a mode that draws without weights.
    """
    if mode == "weighted_random":
        return LossWeightedSampling(exploration_share, prior_share)
    if prior_share:
        raise ConfigError("option use_centre_weight", "needs weighted sampling", mode,
                          "set --buffer_sample_mode weighted_random")
    return HighestLossSampling() if mode == "topk" else UniformSampling()
