"""Optimizers and schedules that the original offers for its network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from cl_localization.errors import ConfigError
from cl_localization.research.nerf_cl.options import LearningConfig


def make_optimizer(parameters: Iterable[nn.Parameter], config: LearningConfig) -> torch.optim.Optimizer:
    """Return the optimizer that a config names."""
    rate, decay = config.learning_rate, config.weight_decay
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, momentum=config.momentum, weight_decay=decay)
    if config.optimizer == "radam":
        return torch.optim.RAdam(parameters, rate, weight_decay=decay)
    if config.optimizer == "ranger":
        return Ranger(parameters, rate, weight_decay=decay)
    return torch.optim.Adam(parameters, rate, eps=1e-8, weight_decay=decay)


class Ranger(torch.optim.RAdam):
    """RAdam whose weights are drawn halfway back every few steps to slow ones that follow them (Lookahead, NeurIPS
    2019)."""

    PERIOD, SHARE = 6, 0.5

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Make one step."""
        before = {weights: weights.detach().clone() for group in self.param_groups for weights in group["params"]
                  if weights.grad is not None and "slow" not in self.state[weights]}
        result = super().step(closure)
        for weights, value in before.items():
            self.state[weights]["slow"] = value
        for group in self.param_groups:
            for weights in group["params"]:
                self._look_ahead(weights)
        return result

    def _look_ahead(self, weights: Tensor) -> None:
        state = self.state[weights]
        if "slow" in state and int(state["step"]) % self.PERIOD == 0:
            with torch.no_grad():
                state["slow"].lerp_(weights, self.SHARE)
                weights.copy_(state["slow"])


def rate_factor(config: LearningConfig, epoch: float, progress: float) -> float:
    """Return what the learning rate is multiplied by.

    Args:
        epoch: passes over the rays so far.
        progress: share of all passes, 0 to 1.
    """
    if epoch < config.warmup_epochs:
        return 1.0 + (config.warmup_multiplier - 1.0) * epoch / config.warmup_epochs
    factor = config.warmup_multiplier if config.warmup_epochs else 1.0
    if config.schedule == "cosine":
        return factor * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
    if config.schedule == "poly":
        return factor * (1.0 - min(progress, 1.0)) ** config.poly_exp
    return factor * config.decay_gamma ** sum(epoch >= step for step in decay_steps(config))


def decay_steps(config: LearningConfig) -> tuple[int, ...]:
    """Return the epochs at which the rate falls.

    Raises:
        ConfigError: words that are no whole numbers.
    """
    try:
        return tuple(int(word) for word in config.decay_step.replace(",", " ").split())
    except ValueError:
        raise ConfigError("option decay_step", "must be whole numbers separated by commas", config.decay_step) from None
