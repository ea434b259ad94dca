"""Pre-training of the sparse form: what it is made of, that it learns, and that a resumed training is the same
training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from attention_makers import QUICK, wall_scene
from cl_localization.errors import ConfigError, DataError, EncoderError
from cl_localization.research.ace_g.checkpoint import (
    AttentionModel,
    load_attention,
    load_optimizer,
    make_network,
    save_attention,
)
from cl_localization.research.ace_g.pretraining import SparseObjective, new_model, pretrain
from cl_localization.research.ace_g.processes import WORLD_SIZE, OneProcess, make_processes
from cl_localization.research.ace_g.scene_files import sparse_pools
from cl_localization.research.ace_g.scenes import changed_frame, open_scene, posed_features, simulated_scene
from cl_localization.research.ace_g.sparse_pool import SparsePool, prepared

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pool() -> SparsePool:
    return SparsePool.joined([prepared(*wall_scene(seed), QUICK.network, seed) for seed in (0, 1)])


def objective(pool: SparsePool, config=QUICK) -> SparseObjective:
    return SparseObjective(pool, config, CPU)


def trained(pool: SparsePool, config=QUICK, **given) -> AttentionModel:
    return pretrain(new_model(16, "scene", config), objective(pool, config), OneProcess(CPU, "32-true"), **given)


def weights(model: AttentionModel) -> list[torch.Tensor]:
    return list(model.network.state_dict().values())


def test_the_truth_lies_at_the_best_candidate_where_features_are_clear(pool):
    nearest = np.linalg.norm(pool.positions[pool.rows[:, 0]] - pool.points, axis=1)
    assert len(pool) > 300 and np.mean(nearest < 3) > 0.8


def test_joined_scenes_keep_their_codes_apart(pool):
    first = prepared(*wall_scene(0), QUICK.network, 0)
    assert pool.rows[:len(first)].max() < len(first.keys) <= pool.rows[len(first):][pool.rows[len(first):] >= 0].min()


def test_the_loss_falls(pool):
    losses = []
    trained(pool, replace(QUICK, pretraining=replace(QUICK.pretraining, steps=120)), tell=lambda done, total,
            loss: losses.append(loss))
    assert np.mean(losses[-20:]) < 0.7 * np.mean(losses[:20])


def test_a_training_that_was_resumed_is_the_same_training(pool, tmp_path):
    whole = trained(pool)
    path, processes = tmp_path / "checkpoint", OneProcess(CPU, "32-true")

    class Stopped(Exception):
        pass

    def stop(done: int, total: int, loss: float) -> None:
        if done == 10:
            raise Stopped

    with pytest.raises(Stopped):
        config = replace(QUICK, pretraining=replace(QUICK.pretraining, checkpoint_every=5))
        trained(pool, config, checkpoint=path, tell=stop)
    begun = load_attention(path)
    assert begun.extra["steps"] == 5
    resumed = pretrain(begun, objective(pool, begun.config), processes, path, resume=True)
    for one, other in zip(weights(whole), weights(resumed)):
        torch.testing.assert_close(one, other)


def test_a_training_stops_when_its_time_is_over(pool):
    model = trained(pool, replace(QUICK, pretraining=replace(QUICK.pretraining, steps=10**6, max_seconds=0.2)))
    assert 0 < model.extra["steps"] < 10**6


def test_a_training_that_is_to_finish_in_a_time_ends_with_its_learning_rate(pool):
    config = replace(QUICK, pretraining=replace(QUICK.pretraining, steps=10**6, finish_seconds=0.2))
    model = trained(pool, config)
    assert 0 < model.extra["steps"] < 10**6 and model.extra["seconds"] >= 0.2
    again = pretrain(model, objective(pool, config), OneProcess(CPU, "32-true"))
    assert again.extra["steps"] == model.extra["steps"]  # its time is over


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_trains(pool, precision):
    model = pretrain(new_model(16, "scene", QUICK), objective(pool), OneProcess(CPU, precision))
    assert all(torch.isfinite(value).all() for value in weights(model))


def test_several_processes_need_their_library(monkeypatch):
    monkeypatch.setenv(WORLD_SIZE, "2")
    monkeypatch.setitem(__import__("sys").modules, "lightning_fabric", None)
    with pytest.raises(ConfigError, match="needs the package lightning-fabric"):
        make_processes(CPU, "32-true")


def test_one_process_needs_none(monkeypatch):
    monkeypatch.delenv(WORLD_SIZE, raising=False)
    assert isinstance(make_processes(CPU, "32-true"), OneProcess)


def test_a_sequence_alone_is_cut_into_stretches():
    scene = open_scene("sim:3?frames=120&size=64x48&rooms=1")
    assert (len(scene.mapping), len(scene.queries)) == (95, 25)
    with pytest.raises(DataError, match="must have more than 75 frames"):
        open_scene("sim:3?frames=60&size=64x48&rooms=1")


def test_simulated_scenes_can_be_opened_and_are_the_same_for_the_same_seed():
    assert simulated_scene(5, 20) == simulated_scene(5, 20) != simulated_scene(6, 20)
    scene = open_scene(simulated_scene(5, 20, "64x48"))
    assert len(scene.mapping) == len(scene.queries) == 20


def test_images_that_are_asked_for_are_changed_the_same_way_each_time(monkeypatch):
    monkeypatch.setattr("cl_localization.research.ace_g.scenes.PERTURBED_SHARE", 1.0)
    scene, _ = wall_scene()
    one, other = (changed_frame(scene.queries, 1, 3) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    assert not np.array_equal(one.image, scene.queries[1].image)


def test_frames_without_depth_cannot_be_trained_on():
    scene, encoder = wall_scene(depth=False)
    with pytest.raises(DataError, match="must have a pose and depth"):
        list(posed_features(scene.mapping, encoder))


def test_scenes_that_teach_nothing_are_refused():
    scene, encoder = wall_scene()
    for frame in scene.mapping.frames:
        frame.depth_m[:] = 0
    with pytest.raises(DataError, match="must show something that can be mapped"):
        prepared(scene, encoder, QUICK.network, 0)
    good, encoder = wall_scene()
    for frame in good.queries.frames:
        frame.depth_m[:] = 0
    with pytest.raises(DataError, match="must have depth where its queries show features"):
        prepared(good, encoder, QUICK.network, 0)


def test_prepared_scenes_are_read_again_and_damaged_ones_made_again(tmp_path, monkeypatch):
    _, encoder = wall_scene()
    calls = []
    module = "cl_localization.research.ace_g.scene_files."
    monkeypatch.setattr(module + "open_scene", lambda text: text)
    made = prepared(*wall_scene(), QUICK.network, 0)
    monkeypatch.setattr(module + "prepared", lambda *given: calls.append(given) or made)
    for expected in (1, 1):
        assert len(sparse_pools(["a"], encoder, QUICK, tmp_path)) == len(made)
        assert len(calls) == expected
    next(tmp_path.iterdir()).write_bytes(b"damaged")
    np.testing.assert_array_equal(sparse_pools(["a"], encoder, QUICK, tmp_path).rows, made.rows)
    assert len(calls) == 2
    with pytest.raises(DataError, match="needs at least one scene"):
        sparse_pools([], encoder, QUICK, tmp_path)
    with pytest.raises(DataError, match="must be writable"):
        sparse_pools(["a"], encoder, QUICK, next(tmp_path.iterdir()))


def test_weights_are_read_as_they_were_written(tmp_path):
    model = AttentionModel(make_network(16, QUICK), QUICK, "scene", {"scenes": ["a"], "steps": 3})
    save_attention(model, tmp_path / "weights")
    read = load_attention(tmp_path / "weights")
    assert (read.config, read.encoder, read.extra) == (QUICK, "scene", model.extra)
    assert all(torch.equal(one, other) for one, other in zip(weights(model), weights(read)))


def damaged(path, change) -> None:
    content = path.read_bytes()
    path.write_bytes(change(content))


@pytest.mark.parametrize("change, message", [
    (lambda content: content[:-5], "must be a whole safetensors file"),
    (lambda content: content.replace(b"cl_localization_attention", b"cl_localization_attentioN"), "must be of format"),
    (lambda content: content.replace(b'format_version\\": 1', b'format_version\\": 7'), "must have format version 1"),
    (lambda content: content.replace(b'network.width\\": 16', b'network.width\\": 32'),
     "must have parts that fit together")])
def test_weights_that_are_none_are_refused(tmp_path, change, message):
    path = tmp_path / "weights"
    save_attention(AttentionModel(make_network(16, QUICK), QUICK, "scene"), path)
    damaged(path, change)
    with pytest.raises(EncoderError, match=message):
        load_attention(path)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    model = AttentionModel(make_network(16, QUICK), QUICK, "scene")
    with pytest.raises(EncoderError, match="must be a file"):
        load_attention(tmp_path / "none")
    save_attention(model, tmp_path / "weights")
    with pytest.raises(EncoderError, match="must be writable"):
        save_attention(model, tmp_path / "weights" / "in a file")
    optimizer = torch.optim.AdamW(model.network.parameters())
    with pytest.raises(EncoderError, match="must hold the state of their training"):
        load_optimizer(optimizer, tmp_path / "weights")
    with pytest.raises(EncoderError, match="must divide the width 16"):
        make_network(16, replace(QUICK, network=replace(QUICK.network, heads=3)))
