from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cl_localization.config import with_values
from cl_localization.continual.sampling import sampling_of
from cl_localization.errors import ConfigError, DataError
from cl_localization.nerf.learner import Batch, Learner, render_rays
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks, begin_task
from cl_localization.research.nerf_cl.image_replay import RAY_BYTES, ImageReplay
from cl_localization.research.nerf_cl.making import make_field
from cl_localization.research.nerf_cl.options import NerfConfig, ReplayConfig
from cl_localization.research.nerf_cl.ray_replay import RayReplay
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, of_side
from cl_localization.research.nerf_cl.task import Progress, TaskTraining

SMALL = {"voxel.voxels": 2000, "voxel.upsample_at": "", "learning.batch_size": 256, "learning.num_epochs": 4}


def config_of(**changes: object) -> NerfConfig:
    return with_values(NerfConfig(), {**SMALL, **changes})


def rays_of(views: list[View]) -> SeenRays:
    return SeenRays.joined([view.rays(2.0, 6.0) for view in views])


def learner_of(config: NerfConfig) -> Learner:
    generator = torch.Generator().manual_seed(0)
    return Learner(make_field(config, SYNTHETIC_BOX, 1.0), config.learning.depth_weight, generator)


def test_a_step_with_a_loss_that_is_nan_is_skipped_and_counted(views: list[View]) -> None:
    learner, rays = learner_of(config_of()), rays_of(views[:1])
    learner.step([Batch(rays)])
    before = learner.field.density.detach().clone()
    found = learner.step([Batch(replace(rays, colours=torch.full_like(rays.colours, torch.nan)))])
    assert found.skipped and learner.skipped == 1 and found.mean != found.mean
    assert torch.equal(learner.field.density, before)
    assert not learner.step([Batch(rays)]).skipped and learner.skipped == 1 and learner.steps == 3


def test_a_gradient_that_opposes_old_rays_is_bent(views: list[View]) -> None:
    learner, rays = learner_of(config_of()), rays_of(views[:1])
    inverted = replace(rays, colours=1.0 - rays.colours)
    field, generator = learner.field, torch.Generator().manual_seed(0)
    for values in (field.density, field.colour):
        values.grad = torch.randn(values.shape, generator=generator)
    reference = [-values.clone() + 0.1 for values in learner._gradients()]
    learner._project(reference)
    product = sum(float((one.double() * other.double()).sum()) for one, other in zip(learner._gradients(), reference))
    assert abs(product) < 1e-3 * sum(float((other ** 2).sum()) for other in reference)
    found = learner.step([Batch(rays)], constraint=Batch(inverted))
    assert len(found.losses) == 2 and len(found.losses[1]) == len(rays)


def test_depth_where_it_is_known_pulls_surfaces_there() -> None:
    config = config_of(**{"learning.depth_weight": 1.0})
    learner = learner_of(config)
    count = 64
    spots = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    rays = SeenRays(torch.cat([spots, torch.full((count, 1), 4.0)], dim=1),
                    torch.tensor([[0.0, 0, -1]]).expand(count, 3),
                    torch.full((count,), 2.0), torch.full((count,), 6.0), torch.full((count, 3), 0.5),
                    torch.full((count,), 4.0),
                    torch.ones(count))
    for step in range(80):
        learner.field.before_step(step, 80)
        learner.step([Batch(rays)])
    seen = render_rays(learner.field, rays, 1000)
    assert float((seen.depths - 4.0).abs().median()) < 0.4


@pytest.mark.parametrize("fill", ["random", "uniform", "topk", "lowest"])
@pytest.mark.parametrize("sample", ["random", "weighted_random", "topk"])
def test_all_ways_to_fill_and_sample_give_rays_of_before(views: list[View], fill: str, sample: str) -> None:
    rays = rays_of(views[:2])
    losses = torch.arange(len(rays), dtype=torch.float32)
    config = ReplayConfig(buffer_size=100, fill_mode=fill, sample_mode=sample, exploration_ratio=0.2,
                          dynamic_update=True,
                          use_centre_weight=sample == "weighted_random")
    replay = RayReplay(config, rays, torch.zeros(len(rays), 3), losses, 0)
    assert len(replay.buffer) == 100
    slots, drawn = replay.draw(32)
    assert len(drawn) == 32 and set(map(tuple, drawn.directions.tolist())) <= set(map(tuple, rays.directions.tolist()))
    if fill == "topk":
        assert replay.buffer.traits.losses.min() == len(rays) - 100
    if fill == "lowest":
        assert replay.buffer.traits.losses.max() == 99
    if sample == "topk":
        assert set(replay.buffer.traits.losses[slots]) == set(np.sort(replay.buffer.traits.losses)[-32:])
    replay.update_losses(slots, torch.full((32,), 0.25))
    assert set(replay.buffer.traits.losses[slots]) == {0.25}


def test_soft_targets_replace_the_colours_of_replayed_rays(views: list[View]) -> None:
    rays = rays_of(views[:1])
    replay = RayReplay(ReplayConfig(buffer_size=50, soft_targets=True), rays, torch.full((len(rays), 3), 0.25),
                       torch.zeros(len(rays)), 0)
    assert set(replay.draw(10)[1].colours.reshape(-1).tolist()) == {0.25}
    before = replay.buffer.traits.losses.copy()
    replay.update_losses(np.arange(3), torch.ones(3))
    assert np.array_equal(replay.buffer.traits.losses, before)


def test_centre_weights_need_weighted_sampling() -> None:
    with pytest.raises(ConfigError, match="use_centre_weight needs weighted sampling"):
        sampling_of("random", 0.0, 0.3)


def test_a_task_is_learned_and_replay_keeps_the_one_before(views: list[View]) -> None:
    right, left = (rays_of(of_side(views, side)) for side in ("right", "left"))
    errors = {}
    rays_kept = {"replay.use_replay": True, "replay.keep": "rays", "replay.buffer_size": 400}
    for name, changes in {"none": {}, "replay": rays_kept,
                          "images": {"replay.use_replay": True},
                          "distillation": {"replay.distillation": True},
                          "new rays": {"replay.distillation": True, "replay.distillation_weight": 1.0}}.items():
        config = config_of(**{"learning.num_epochs": 0, **changes})
        field, progress = make_field(config, SYNTHETIC_BOX, 1.0), Progress()
        for number, (rays, earlier) in enumerate(((right, None), (left, right))):
            progress.next_task(config_of(**{"learning.num_epochs": 5 * (number + 1)}))
            kept = EarlierTasks()
            if number:
                kept = begin_task(field, config, rays, earlier, views=of_side(views, "right"))
            training = TaskTraining(field, config, rays, progress, kept)
            training.run()
        assert progress.epoch == 10 and training.loss < 0.05
        errors[name] = float(((render_rays(field, right, 9999).colours - right.colours) ** 2).mean())
    assert max(errors["replay"], errors["distillation"], errors["new rays"]) < errors["none"]
    assert errors["images"] < errors["replay"]


def test_images_of_earlier_tasks_are_kept_within_the_bytes_of_the_rays(views: list[View]) -> None:
    all_of_them = ImageReplay(config_of(), views)
    slots, rays = all_of_them.draw(64)
    assert len(all_of_them.memory) == len(views) and len(rays) == len(slots) == 64
    few = ImageReplay(config_of(**{"replay.buffer_size": all_of_them.size_bytes // RAY_BYTES // 2}), views)
    assert 0 < len(few.memory) < len(views) and few.size_bytes <= all_of_them.size_bytes / 2


def test_epochs_count_those_of_the_checkpoint() -> None:
    progress = Progress(epoch=4)
    with pytest.raises(DataError, match="num_epochs must be more than the 4 of the checkpoint"):
        progress.next_task(config_of())
    progress.next_task(config_of(**{"learning.num_epochs": 0}))
    assert (progress.first_epoch, progress.last_epoch) == (4, 14)


def test_replay_needs_an_earlier_task_and_a_task_needs_rays(views: list[View]) -> None:
    config, rays = config_of(**{"replay.use_replay": True}), rays_of(views[:1])
    field = make_field(config, SYNTHETIC_BOX, 1.0)
    with pytest.raises(DataError, match="replay needs rays of an earlier task"):
        begin_task(field, config, rays, None)
    with pytest.raises(DataError, match="distillation needs cameras of an earlier task or a weight for new rays"):
        begin_task(field, config_of(**{"replay.distillation": True}), rays, None)
    assert begin_task(field, config_of(**{"replay.distillation": True, "replay.distillation_weight": 1.0}), rays,
                      None).soft is not None
    with pytest.raises(DataError, match="task must have rays"):
        TaskTraining(field, config, rays.rows(slice(0, 0)), Progress())
