from __future__ import annotations

import math

import pytest
import torch

from cl_localization.config import with_values
from cl_localization.errors import ConfigError
from cl_localization.nerf.compositing import packed_weights
from cl_localization.nerf.learner import Batch, Learner
from cl_localization.nerf.rays import RayBundle
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.mlp_field import (
    MlpField,
    RadianceNetwork,
    drawn_by_weight,
    encode,
    stratified,
    weights_of,
)
from cl_localization.research.nerf_cl.optimizers import decay_steps, make_optimizer, rate_factor
from cl_localization.research.nerf_cl.options import LearningConfig, MlpConfig, NerfConfig

TINY = {"field": "mlp", "mlp.layers": 4, "mlp.width": 32, "mlp.position_frequencies": 4, "mlp.direction_frequencies": 2,
        "render.samples": 16, "render.importance_samples": 16, "render.noise_std": 0.0, "learning.learning_rate": 0.003}


def config_of(**changes: object) -> NerfConfig:
    return with_values(NerfConfig(), {**TINY, **changes})


def one_ray(near: float = 2.0, far: float = 6.0) -> RayBundle:
    return RayBundle(torch.zeros(1, 3), torch.tensor([[0.0, 0, 1]]), torch.tensor([near]), torch.tensor([far]))


def test_the_network_has_the_parameters_of_the_original() -> None:
    assert sum(values.numel() for values in RadianceNetwork(MlpConfig()).parameters()) == 595_844


def test_positions_are_encoded_with_doubling_frequencies() -> None:
    values = torch.tensor([[0.5, -1.0, 2.0]])
    encoded = encode(values, 2)
    assert encoded.shape == (1, 15) and torch.allclose(encoded[:, :6], torch.cat([values, torch.sin(values)], dim=1))
    assert torch.allclose(encoded[:, 9:12], torch.sin(2 * values))


def test_samples_lie_evenly_in_depth_or_in_disparity() -> None:
    depth = stratified(one_ray(), config_of(), None)
    assert torch.allclose(depth.diff(dim=1), torch.full((1, 15), 4 / 15))
    disparity = stratified(one_ray(), config_of(**{"render.in_disparity": True}), None)
    assert torch.allclose((1 / disparity).diff(dim=1), torch.full((1, 15), -(1 / 2 - 1 / 6) / 15), atol=1e-6)
    shifted = stratified(one_ray(), config_of(), torch.Generator().manual_seed(0))
    assert not torch.equal(shifted, depth) and bool((shifted.diff(dim=1) >= 0).all())
    assert 2 <= float(shifted.min()) and float(shifted.max()) <= 6


@pytest.mark.parametrize("seed", [None, 0])
def test_importance_samples_go_where_the_weight_is(seed: int | None) -> None:
    edges, weights = torch.linspace(0, 10, 11)[None], torch.zeros(1, 10)
    weights[0, 3] = 1.0
    drawn = drawn_by_weight(edges, weights, 200, None if seed is None else torch.Generator().manual_seed(seed))
    assert float(((drawn >= 3) & (drawn <= 4)).float().mean()) > 0.97
    assert 0 <= float(drawn.min()) and float(drawn.max()) <= 10


def test_packed_and_dense_compositing_agree() -> None:
    optical = torch.rand(5, 9, generator=torch.Generator().manual_seed(0))
    rays = torch.arange(5).repeat_interleave(9)
    assert torch.allclose(packed_weights(optical.reshape(-1), rays, 7).view(5, 9), weights_of(optical), atol=1e-5)
    assert float(weights_of(torch.full((1, 3), 100.0)).sum()) == pytest.approx(1.0)
    assert len(packed_weights(torch.zeros(0), torch.zeros(0, dtype=torch.int64), 3)) == 0


def test_both_networks_render_and_the_noise_is_only_for_training() -> None:
    torch.manual_seed(0)
    field = MlpField(config_of(**{"render.noise_std": 1.0}), 1.0)
    coarse, fine = field.render(one_ray())
    assert torch.equal(field.render(one_ray())[1].colours, fine.colours) and coarse.colours.shape == (1, 3)
    noisy = [field.render(one_ray(), torch.Generator().manual_seed(seed))[1].colours for seed in (1, 2)]
    assert not torch.equal(*noisy)
    assert len(MlpField(config_of(**{"render.importance_samples": 0}), 1.0).render(one_ray())) == 1


def test_the_network_learns_a_scene(views: list[View]) -> None:
    torch.manual_seed(0)
    config = config_of()
    field, generator = MlpField(config, 1.0), torch.Generator().manual_seed(0)
    learner = Learner(field, config.learning.depth_weight, generator)
    rays = views[0].rays(2.0, 6.0)
    losses = []
    for step in range(60):
        field.before_step(step, 60, 0.0)
        losses.append(learner.step([Batch(rays.rows(torch.randint(len(rays), (128,), generator=generator)))]).mean)
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


@pytest.mark.parametrize("name", ["adam", "sgd", "radam", "ranger"])
def test_every_optimizer_lowers_a_loss(name: str) -> None:
    weights = torch.nn.Parameter(torch.ones(3))
    optimizer = make_optimizer([weights], LearningConfig(optimizer=name, learning_rate=0.05))
    for _ in range(150):
        optimizer.zero_grad()
        (weights ** 2).sum().backward()
        optimizer.step()
    assert float((weights.detach() ** 2).sum()) < 1.0


def test_rates_fall_as_in_the_original() -> None:
    steps = LearningConfig(decay_step="2,4,8", decay_gamma=0.5)
    assert [rate_factor(steps, epoch, 0.0) for epoch in (0, 2, 5, 100)] == [1, 0.5, 0.25, 0.125]
    assert rate_factor(LearningConfig(schedule="cosine"), 0, 0.5) == pytest.approx(0.5)
    assert rate_factor(LearningConfig(schedule="poly"), 0, 0.5) == pytest.approx(0.5 ** 0.9)
    warm = LearningConfig(warmup_epochs=4, warmup_multiplier=3.0, decay_step="100")
    assert [rate_factor(warm, epoch, 0.0) for epoch in (0, 2, 4)] == [1, 2, 3]
    assert math.isclose(rate_factor(LearningConfig(schedule="cosine"), 0, 2.0), 0.0, abs_tol=1e-9)


def test_decay_steps_must_be_numbers() -> None:
    with pytest.raises(ConfigError, match="option decay_step must be whole numbers"):
        decay_steps(LearningConfig(decay_step="two"))
