"""The written-out gradient of attention over codes, and what it leads to."""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.mapping.learned.optimizer import (
    CodeOptimizer,
    Samples,
    falling,
    learn_to_the_end,
    without_denormals,
)
from core_makers import PointScene


def samples_of(count: int = 60, seed: int = 0) -> Samples:
    """Points before a camera at the origin."""
    scene = PointScene.room(count, seed=seed)
    points = torch.from_numpy(scene.points_m.astype(np.float32))
    return Samples(torch.from_numpy(scene.descriptors), points, points.norm(dim=1))


def test_a_step_follows_the_gradient_that_autograd_finds() -> None:
    samples, clamp = samples_of(), 0.1
    codes = CodeOptimizer(samples.rows(torch.arange(10)))
    keys, positions = codes._keys.values.clone().requires_grad_(), codes.positions.clone().requires_grad_()
    log_temperature = codes._log_temperature.values.clone().requires_grad_()
    points = torch.softmax(log_temperature.exp() * samples.descriptors @ keys.T, dim=1) @ positions
    errors = (points - samples.points).norm(dim=1) / samples.distances
    (clamp * torch.log1p(errors / clamp)).mean().backward()
    codes.step(samples, clamp, 1.0)
    for parameter, wanted in ((codes._keys, keys), (codes._positions, positions),
                              (codes._log_temperature, log_temperature)):
        torch.testing.assert_close(parameter._first / 0.1, wanted.grad, rtol=1e-3, atol=1e-6)


def test_few_codes_learn_where_more_points_lie() -> None:
    samples, generator = samples_of(200), torch.Generator().manual_seed(0)
    codes = CodeOptimizer(samples.rows(torch.arange(40)))
    before = float(codes.errors(samples).median())
    learn_to_the_end(codes, samples, 300, generator)
    assert float(codes.errors(samples).median()) < 0.6 * before


def test_a_code_that_begins_anew_stands_for_its_sample() -> None:
    samples = samples_of(60)
    codes = CodeOptimizer(samples.rows(torch.arange(10)))
    codes.begin_anew(torch.tensor([3, 10, 11]), samples.rows(torch.tensor([20, 21, 22])))
    assert len(codes) == 12 and len(codes.usage) == 12
    torch.testing.assert_close(codes.positions[[3, 10, 11]], samples.points[20:23])
    codes.step(samples, 0.1, 1.0)


def test_the_least_used_codes_are_dropped() -> None:
    samples = samples_of(60)
    codes = CodeOptimizer(samples.rows(torch.arange(6)))
    codes.usage = torch.tensor([0.5, 0.1, 2.0, 0.3, 0.2, 1.0])
    codes.drop_least_used(3)
    torch.testing.assert_close(codes.positions, samples.points[[0, 2, 5]])
    codes.step(samples, 0.1, 1.0)


def test_the_rate_falls_to_nothing_and_the_clamp_to_its_least() -> None:
    steps = list(falling(100))
    assert steps[0][1] == 1.0 and steps[-1][1] < 0.001 and steps[-1][0] < 0.3 * steps[0][0]


def test_denormal_numbers_are_only_flushed_within() -> None:
    tiny = torch.tensor(1e-30)
    with without_denormals():
        assert float(tiny * torch.tensor(1e-12)) == 0.0
    assert float(tiny * torch.tensor(1e-12)) > 0.0
