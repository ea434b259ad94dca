"""Training: epochs of batches, a schedule, looks at a validation part, the best network kept, and going on after a
stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cl_localization.research.seqmatchnet.batches import Batches
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import TrainingConfig

Look = Callable[[PlaceNetwork], dict[str, float]]
"""Returns figures of a network on validation data, `recall@5` among them."""

Log = Callable[[int, dict[str, float]], None]
"""Is told (epoch, figures)."""

DECIDING = "recall@5"
WARM_UP_SHARE = 0.1


@dataclass
class Progress:
    """How far training is.

    Attributes:
        epoch: epochs done.
        steps: batches done.
        best_score: the best recall@5 so far, -1 before the first look.
        best_state: the network's tensors at that time.
        looks_without_gain: looks since then.
    """

    epoch: int = 0
    steps: int = 0
    best_score: float = -1.0
    best_state: dict[str, Tensor] = field(default_factory=dict)
    looks_without_gain: int = 0


class Trainer:
    """Trains a network on batches.

    Args:
        look: figures on validation data; None trains to the end and keeps the last network.
        log: is told the loss of each epoch, and figures.
        save: is called after each epoch.
    """

    def __init__(self, network: PlaceNetwork, batches: Batches, config: TrainingConfig, look: Look | None = None,
                 log: Log = lambda epoch, figures: None, save: Callable[[Trainer],
                                                                        None] = lambda trainer: None) -> None:
        self.network, self.config, self.progress = network, config, Progress()
        self._batches, self._look, self._log, self._save = batches, look, log, save
        self.optimizer = make_optimizer(network, config)
        self._factor = learning_rate_factor(config, batches.count)

    def run(self) -> PlaceNetwork:
        """Train until the last epoch or until patience ends, and return the best network, or the last one without
        looks."""
        while self.progress.epoch < self.config.epochs and not self._out_of_patience():
            self._epoch()
            self.progress.epoch += 1
            if self._look is not None and (self.progress.epoch % self.config.eval_every == 0
                                           or self.progress.epoch == self.config.epochs):
                self._look_at(self._look(self.network))
            self._save(self)
        if self.progress.best_state:
            self.network.load_state_dict(self.progress.best_state)
        self.network.eval()
        return self.network

    def _epoch(self) -> None:
        self.network.train()
        total, steps = 0.0, 0
        for loss in self._batches.losses(self.network):
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.learning_rate * self._factor(self.progress.steps)
            if loss.requires_grad and float(loss.detach()) > 0:
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
            self.progress.steps += 1
            total, steps = total + float(loss.detach()), steps + 1
        self._log(self.progress.epoch, {"loss": total / max(steps, 1),
                                        "learning_rate": self.optimizer.param_groups[0]["lr"],
                                        "batches": float(steps)})

    def _look_at(self, figures: dict[str, float]) -> None:
        progress = self.progress
        self._log(progress.epoch - 1, figures)
        progress.looks_without_gain += 1
        if figures[DECIDING] >= progress.best_score:  # of equals the later, which has learned longer
            progress.looks_without_gain *= figures[DECIDING] == progress.best_score
            progress.best_score = figures[DECIDING]
            progress.best_state = {name: value.clone() for name, value in self.network.state_dict().items()}

    def _out_of_patience(self) -> bool:
        return 0 < self.config.patience <= self.progress.looks_without_gain


def make_optimizer(network: PlaceNetwork, config: TrainingConfig) -> torch.optim.Optimizer:
    """Return the optimizer that the configuration names, over the parameters of the network."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.learning_rate, momentum=config.momentum,
                               weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)


def learning_rate_factor(config: TrainingConfig, batches_per_epoch: int) -> Callable[[int], float]:
    """Return the function from the number of steps taken to the factor of the learning rate.

    one_cycle: a cosine from 0.04 up to 1 in the first tenth of the steps, then one down to nothing. step: `lr_gamma` to
    the power of the number of `lr_step` epochs done.
    """
    total = max(config.epochs * batches_per_epoch, 1)
    warm_up = max(int(WARM_UP_SHARE * total), 1)

    def one_cycle(step: int) -> float:
        begin, end, done = (
            (0.04, 1.0, step / warm_up) if step < warm_up else (1.0, 0.0, (step - warm_up) / max(total - warm_up, 1))
        )
        return begin + (end - begin) * 0.5 * (1 - float(torch.cos(torch.tensor(torch.pi * min(done, 1.0)))))

    factors = {"one_cycle": one_cycle, "constant": lambda step: 1.0,
               "step": lambda step: config.lr_gamma ** (step // batches_per_epoch // config.lr_step)}
    return factors[config.schedule]
