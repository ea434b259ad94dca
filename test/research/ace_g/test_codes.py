"""The paper's form: codes of any order, a network that is left alone while they are learned, resets, and the filter by
uncertainty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from attention_makers import CODES, wall_scene
from cl_localization.research.ace.training import AceBuffer
from cl_localization.research.ace_g.checkpoint import make_network
from cl_localization.research.ace_g.code_mapping import certain, learn_codes, learning_rate_share, localize_with_codes
from cl_localization.research.ace_g.code_network import QUERY_GAIN, new_codes
from cl_localization.research.ace_g.code_pool import CodeScene, code_scene
from cl_localization.research.ace_g.code_pretraining import CodeObjective, PreparedScenes
from cl_localization.research.ace_g.options import AttentionConfig, CodeMappingConfig
from cl_localization.research.ace_g.pretraining import new_model, pretrain
from cl_localization.research.ace_g.processes import OneProcess

CPU = torch.device("cpu")


def objective_of(scenes: list[CodeScene], config: AttentionConfig) -> CodeObjective:
    return CodeObjective(PreparedScenes(scenes), config, CPU)


def state(network: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in network.state_dict().values()]


def test_the_order_of_the_codes_does_not_matter():
    network, codes = make_network(16, CODES), torch.randn(16, 16)
    features = torch.randn(5, 16)
    with torch.inference_mode():
        one, other = network(features, codes), network(features, codes.flip(0))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_each_feature_is_answered_by_itself():
    network, codes, features = make_network(16, CODES), torch.randn(16, 16), torch.randn(5, 16)
    with torch.inference_mode():
        torch.testing.assert_close(network(features, codes)[0][2:3], network(features[2:3], codes)[0], atol=1e-5,
                                   rtol=1e-4)


def test_codes_are_learned_from_poses_alone_and_the_network_stays():
    scene, encoder = wall_scene(similarity=1.0)
    config = replace(CODES, pretraining=replace(CODES.pretraining, steps=220, active_scenes=1))
    objective = objective_of([code_scene(*wall_scene(1), 1, augment=False)], config)
    network = pretrain(new_model(16, "scene", config), objective, OneProcess(CPU, "32-true")).network
    before = state(network)
    buffer = AceBuffer.of(list(scene.mapping), encoder)
    losses = []
    learned = learn_codes(network, buffer, CodeMappingConfig(iterations=80, batch_size=128), lambda done, total,
                          loss: losses.append(loss))
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert all(torch.equal(one, other) for one, other in zip(before, state(network)))
    assert learned.codes.shape == (16, 16)
    pose = localize_with_codes(network, learned, encoder.encode(scene.queries[0].image), scene.queries[0].camera)
    assert pose.inliers >= 0


def test_query_iterations_leave_the_codes_alone_and_mapping_iterations_mostly_the_network():
    scene, encoder = wall_scene()
    config = replace(CODES, pretraining=replace(CODES.pretraining, active_scenes=1))
    objective, network = objective_of([code_scene(scene, encoder, 0, augment=False)], config), make_network(16, CODES)
    for_network, moved = [], []
    for step in range(22):
        before = objective._active.codes.clone() if objective._active else None
        _, learns = objective.loss(network, step, np.random.default_rng(step))
        for_network.append(learns)
        moved.append(before is None or not torch.equal(before, objective._active.codes))
    assert [step for step, learns in enumerate(for_network) if learns] == [0, 10, 11, 21]
    assert [step for step, codes_moved in enumerate(moved) if not codes_moved] == [10, 21]


def test_codes_begin_anew_after_their_life():
    scene, encoder = wall_scene()
    config = replace(CODES, pretraining=replace(CODES.pretraining, active_scenes=1, code_life=3))
    objective, network = objective_of([code_scene(scene, encoder, 0, augment=False)], config), make_network(16, CODES)
    ages = []
    for step in range(10):
        objective.loss(network, step, np.random.default_rng(step))
        ages.append(int(objective._active.ages[0]))
    assert max(ages) == 3 and 1 in ages[ages.index(3):]


def test_the_network_learns_over_scenes():
    scenes = [code_scene(*wall_scene(seed), seed, augment=False) for seed in (0, 1)]
    config = replace(CODES, pretraining=replace(CODES.pretraining, steps=44))
    losses = []
    model = pretrain(new_model(16, "scene", config), objective_of(scenes, config), OneProcess(CPU, "32-true"),
                     tell=lambda done, total, loss: losses.append(loss))
    assert model.extra["steps"] == 44 and np.mean(losses[-11:]) < np.mean(losses[:11])


def test_new_codes_know_nothing_and_differ():
    codes = new_codes(CODES.network, torch.Generator().manual_seed(0), CPU)
    assert codes.requires_grad and 0.005 < codes.std() < 0.02


@torch.inference_mode()
def test_attention_is_not_flat_at_the_start():
    """Of 256 codes, fewer than a third share the attention of a feature; without the gain, nine in ten."""
    options = replace(CODES, network=replace(CODES.network, width=64, heads=4, blocks=2, codes=256))
    network, generator = make_network(64, options), torch.Generator().manual_seed(0)
    features = torch.randn(1, 200, 64, generator=generator)
    codes = new_codes(options.network, generator, CPU)[None]
    shares = []
    for gain in (1.0, 1 / QUERY_GAIN):
        block, tokens = network.blocks[0], network.feature(features)
        queries, keys = block._split(gain * block.query(block.query_norm(tokens))), block._split(
            block.key(block.key_norm(codes)))
        attention = (queries @ keys.transpose(2, 3) / 4).softmax(-1)
        shares.append(float(torch.exp(-(attention * attention.log()).sum(-1)).mean()) / 256)
    assert shares[0] < 1 / 3 and shares[1] > 0.9


def test_points_that_are_much_less_certain_than_the_best_are_left_out():
    log_sigma = torch.tensor([0.0] * 20 + [3.0] * 20)
    assert certain(log_sigma, CodeMappingConfig()).tolist() == [True] * 20 + [False] * 20
    assert certain(log_sigma[15:22], CodeMappingConfig()).all()


def test_the_learning_rate_rises_and_falls():
    shares = [learning_rate_share(progress) for progress in np.linspace(0, 1, 101)]
    assert abs(shares[0] - 0.2) < 1e-6 and abs(shares[30] - 1) < 1e-6 and abs(shares[100] - 0.001) < 1e-6
