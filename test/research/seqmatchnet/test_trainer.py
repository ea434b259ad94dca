from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import NetworkConfig, TrainingConfig
from cl_localization.research.seqmatchnet.trainer import Trainer, learning_rate_factor, make_optimizer


class TowardsZero:
    """Batches whose loss is the squared size of the weights."""

    def __init__(self, count: int = 4) -> None:
        self.count = count

    def losses(self, network: PlaceNetwork) -> Iterator[Tensor]:
        for _ in range(self.count):
            yield network.transform.weight.square().sum()


def network() -> PlaceNetwork:
    torch.manual_seed(0)
    return PlaceNetwork(NetworkConfig(out_dims=3), 4)


def config(**options: object) -> TrainingConfig:
    return TrainingConfig(**{"epochs": 6, "eval_every": 1, "learning_rate": 0.01, **options})


def looking(scores: list[float]):
    """A look that returns these recalls, one after the other, and remembers the networks that it saw."""
    seen = []

    def look(network: PlaceNetwork) -> dict[str, float]:
        seen.append(network.transform.weight.detach().clone())
        return {"recall@5": scores[len(seen) - 1]}
    return look, seen


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_every_optimizer_makes_the_loss_smaller(optimizer: str) -> None:
    trained = network()
    before = float(trained.transform.weight.detach().square().sum())
    logged = []
    Trainer(trained, TowardsZero(), config(optimizer=optimizer), log=lambda epoch,
            figures: logged.append(figures["loss"])).run()
    assert float(trained.transform.weight.detach().square().sum()) < before and logged == sorted(logged, reverse=True)
    assert not trained.training


def test_the_network_of_the_best_look_is_kept_the_later_of_equals() -> None:
    look, seen = looking([0.2, 0.7, 0.7, 0.5, 0.6, 0.1])
    trainer = Trainer(network(), TowardsZero(), config(), look)
    assert torch.equal(trainer.run().transform.weight, seen[2])
    assert trainer.progress.best_score == 0.7 and trainer.progress.epoch == 6


def test_training_stops_when_patience_ends() -> None:
    look, seen = looking([0.2, 0.7, 0.6, 0.7, 0.5, 0.9])
    trainer = Trainer(network(), TowardsZero(), config(patience=2), look)
    trainer.run()
    assert trainer.progress.epoch == 4 and len(seen) == 4


def test_looks_are_taken_every_so_many_epochs_and_at_the_end() -> None:
    look, seen = looking([0.1, 0.2, 0.3, 0.4])
    Trainer(network(), TowardsZero(), config(epochs=7, eval_every=2), look).run()
    assert len(seen) == 4


def test_without_looks_the_last_network_is_kept() -> None:
    trainer = Trainer(network(), TowardsZero(), config())
    assert trainer.run() is trainer.network and trainer.progress.best_score == -1


def test_losses_without_gradient_change_nothing() -> None:
    class Nothing(TowardsZero):
        def losses(self, network: PlaceNetwork) -> Iterator[Tensor]:
            yield torch.zeros(())

    trained = network()
    before = trained.transform.weight.detach().clone()
    Trainer(trained, Nothing(), config(weight_decay=0.5)).run()
    assert torch.equal(trained.transform.weight, before)


def test_it_is_told_after_each_epoch() -> None:
    epochs = []
    Trainer(network(), TowardsZero(), config(), save=lambda trainer: epochs.append(trainer.progress.epoch)).run()
    assert epochs == [1, 2, 3, 4, 5, 6]


def test_one_cycle_rises_then_falls_to_nothing() -> None:
    factor = learning_rate_factor(config(epochs=10), 10)
    values = [factor(step) for step in range(101)]
    assert (
        values[0] == pytest.approx(0.04)
        and values[10] == pytest.approx(1.0)
        and values[100] == pytest.approx(0.0, abs=1e-6)
    )
    assert values[10:] == sorted(values[10:], reverse=True) and max(values) == values[10]


def test_steps_multiply_by_gamma_and_constant_does_not() -> None:
    factor = learning_rate_factor(config(schedule="step", lr_step=2, lr_gamma=0.5), 10)
    assert [factor(step) for step in (0, 19, 20, 40)] == [1, 1, 0.5, 0.25]
    assert learning_rate_factor(config(schedule="constant"), 10)(1000) == 1


def test_the_optimizer_takes_what_the_options_say() -> None:
    group = make_optimizer(network(), config(optimizer="sgd", momentum=0.8, weight_decay=0.03)).param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.8, 0.03)
