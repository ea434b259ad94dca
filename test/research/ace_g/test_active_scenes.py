"""Scenes side by side: their codes are learned as one by one, begin anew, and only what is known is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from attention_makers import CODES, wall_scene
from cl_localization.research.ace_g.active_scenes import ActiveScenes
from cl_localization.research.ace_g.augmentation import NO_CHANGE, SceneChange
from cl_localization.research.ace_g.code_mapping import learning_rate_share
from cl_localization.research.ace_g.code_pool import code_scene

CONFIG = replace(CODES, pretraining=replace(CODES.pretraining, active_scenes=2, code_life=10))


def two_scenes() -> tuple[ActiveScenes, list]:
    active, rng = ActiveScenes(16, CONFIG, torch.device("cpu")), np.random.default_rng(0)
    scenes = [code_scene(*wall_scene(seed, frames=2 + seed), seed, augment=False) for seed in (0, 1)]
    for slot, scene in enumerate(scenes):
        active.put(slot, scene, NO_CHANGE, rng, age=slot)
    return active, scenes


def test_all_codes_are_changed_as_adamw_changes_those_of_one_scene():
    active, _ = two_scenes()
    codes = torch.nn.Parameter(active.codes[1].clone())
    optimizer = torch.optim.AdamW([codes], weight_decay=0.01)
    for step in range(5):
        gradients = torch.randn(active.codes.shape, generator=torch.Generator().manual_seed(step))
        codes.grad = gradients[1]
        optimizer.param_groups[0]["lr"] = 0.002 * learning_rate_share((1 + step) / 10)
        optimizer.step()
        active.learn(gradients)
    torch.testing.assert_close(active.codes[1], codes.detach(), atol=1e-6, rtol=1e-4)
    assert active.ages.tolist() == [5, 6]


def test_a_scene_that_begins_anew_forgets_its_codes_and_their_optimizer():
    active, scenes = two_scenes()
    for _ in range(3):
        active.learn(torch.randn(active.codes.shape))
    other = active.codes[1].clone()
    active.put(0, scenes[0], NO_CHANGE, np.random.default_rng(1))
    assert active.codes[0].abs().max() < 0.1 and torch.equal(active.codes[1], other) and active.ages.tolist() == [0, 4]
    fresh, _ = two_scenes()
    fresh.codes[0] = active.codes[0]
    fresh.ages[0] = 0
    gradients = torch.randn(active.codes.shape)
    active.learn(gradients)
    fresh.learn(gradients)
    torch.testing.assert_close(active.codes[0], fresh.codes[0])


def test_only_what_a_scene_shows_is_drawn_from_it_and_its_points_are_changed():
    active, scenes = two_scenes()
    change = SceneChange(np.diag([2, 2, 2]).astype(np.float32), np.array([1, 0, 0], np.float32))
    active.put(1, scenes[1], change, np.random.default_rng(0))
    features, points_m = active.mapping.batch(100, torch.Generator().manual_seed(0))
    for slot, scene in enumerate(scenes):
        distances = torch.cdist(features[slot], scene.mapping.features.float())
        nearest, rows = distances.min(1)
        assert nearest.max() < 1e-3
        known_m = scene.mapping.points_m[rows]
        expected_m = known_m if slot == 0 else 2 * known_m + torch.tensor([1.0, 0, 0])
        assert (torch.linalg.vector_norm(points_m[slot] - expected_m, dim=1) < 1e-3).float().mean() > 0.9
