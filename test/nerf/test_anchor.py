from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.config import with_values
from cl_localization.errors import DataError
from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.learner import Batch, Learner, learned_values, render_rays
from cl_localization.nerf.rays import SeenRays
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.anchoring import anchored
from cl_localization.research.nerf_cl.earlier_tasks import EarlierTasks, begin_task
from cl_localization.research.nerf_cl.field_file import Checkpoint, load_checkpoint, save_checkpoint
from cl_localization.research.nerf_cl.making import best_device, make_field, moved
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX, of_side
from cl_localization.research.nerf_cl.task import Progress, TaskTraining

SMALL = {"voxel.voxels": 1500, "voxel.upsample_at": "", "learning.batch_size": 256, "learning.num_epochs": 3,
         "mlp.layers": 2,
         "mlp.width": 8, "render.samples": 8, "render.importance_samples": 4}
REPLAY = {"replay.use_replay": True, "replay.keep": "rays", "replay.buffer_size": 100, "replay.generated_share": 0.8,
          "replay.anchor": 0.5}


def config_of(**changes: object) -> NerfConfig:
    return with_values(NerfConfig(), {**SMALL, **changes})


def rays_of(views: list[View]) -> SeenRays:
    return SeenRays.joined([view.rays(2.0, 6.0) for view in views])


def trained(config: NerfConfig, rays: SeenRays):
    field, progress = make_field(config, SYNTHETIC_BOX, 1.0), Progress()
    progress.next_task(config)
    TaskTraining(field, config, rays, progress).run()
    return field


def test_importance_is_the_diagonal_of_the_gauss_newton_matrix(views: list[View]) -> None:
    rays = rays_of(views[:1]).rows(slice(100, 116))
    field = trained(config_of(), rays_of(views[:2]))
    colours = field.render(field.tightened(rays))[-1].colours
    exact = sum(torch.autograd.grad(colour, field.colour, retain_graph=True)[0] ** 2 for colour in colours.reshape(-1))
    expected, field.density.grad = 2.0 * exact / (3 * len(rays)), None
    found = torch.stack([anchored(field, rays, 1.0, seed).importance[1] for seed in range(100)]).mean(dim=0)
    assert torch.allclose(found.sum(), expected.sum(), rtol=0.05) and float((found - expected).norm()
                                                                            / expected.norm()) < 0.2
    assert not found[expected == 0].any()
    twice = anchored(field, rays, 2.0, 0)
    assert torch.allclose(twice.importance[0], 2.0 * anchored(field, rays, 1.0, 0).importance[0])
    assert torch.equal(twice.values[0], field.density) and field.density.grad is None


def test_an_anchor_pulls_values_back_in_proportion_and_leaves_others_alone() -> None:
    values = torch.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    values.grad = torch.ones(3, 1)
    anchor = Anchor([torch.tensor([[0.0], [2.0], [0.0]])], [torch.tensor([[2.0], [5.0], [0.0]])])
    anchor.pull([values])
    assert values.grad.flatten().tolist() == [3.0, 1.0, 1.0]
    picked = anchor.picked(torch.tensor([1, -1]))
    assert picked.values[0].flatten().tolist() == [2.0, 0.0] and picked.importance[0].flatten().tolist() == [5.0, 0.0]
    other = torch.zeros(3, 1, requires_grad=True)
    anchor.pull([other])
    assert other.grad is None


@pytest.mark.parametrize("field", ["voxel", "mlp"])
def test_an_anchor_keeps_what_was_rendered_along_earlier_rays(views: list[View], field: str) -> None:
    right, left = (rays_of(of_side(views, side)) for side in ("right", "left"))
    shift = {}
    for strength in (0.0, 1e4):
        config = config_of(field=field, **{**REPLAY, "replay.generated_share": 0.0, "replay.replay_weight": 0.0,
                                           "replay.anchor": strength, "learning.learning_rate": 0.01})
        made = trained(config, right)
        before = render_rays(made, right, 9999).colours
        kept = begin_task(made, config, left, right)
        assert (made.anchor is None) == (strength == 0.0)
        progress = Progress(epoch=3)
        progress.next_task(with_values(config, {"learning.num_epochs": 6}))
        TaskTraining(made, config, left, progress, kept).run()
        shift[strength] = float(((render_rays(made, right, 9999).colours - before) ** 2).mean())
    assert shift[1e4] < 0.7 * shift[0.0]


def test_the_anchor_follows_cells_that_are_no_longer_used(views: list[View]) -> None:
    field, rays = trained(config_of(), rays_of(views)), rays_of(views)
    field.anchor = anchored(field, rays, 1.0, 0)
    numbers, importance = field.cells.corner_numbers, field.anchor.importance[1]
    fewer = field.cells.used.clone()
    fewer[:3] = False
    field._use(fewer)
    rows = torch.searchsorted(numbers, field.cells.corner_numbers)
    assert torch.equal(field.anchor.importance[1], importance[rows]) and len(rows) < len(numbers)
    learner = Learner(field, config_of().learning.depth_weight, torch.Generator().manual_seed(0))
    assert not learner.step([Batch(field.tightened(rays))]).skipped


def test_nothing_is_kept_without_a_counter_measure_and_all_cells_are_used_again(views: list[View]) -> None:
    right, left = (rays_of(of_side(views, side)) for side in ("right", "left"))
    field = trained(config_of(**{"voxel.prune_every": 1, "voxel.occupied_opacity": 0.1}), right)
    used = field.cells.used.clone()
    assert not used.all()
    kept = begin_task(field, config_of(), left, right)
    assert kept == EarlierTasks() and field.anchor is None and field.cells.used.all()
    field = trained(config_of(**{"voxel.prune_every": 1, "voxel.occupied_opacity": 0.1}), right)
    begin_task(field, config_of(**REPLAY), left, right)
    assert torch.equal(field.cells.used, used) and field.anchor is not None


def test_generated_rays_have_the_colours_of_the_field_before_the_task(views: list[View]) -> None:
    right, left = (rays_of(of_side(views, side)) for side in ("right", "left"))
    field = trained(config_of(), right)
    before = render_rays(field, right, 9999).colours
    kept = begin_task(field, config_of(**REPLAY), left, right)
    assert torch.equal(kept.generated.colours, before) and torch.equal(kept.generated.origins, right.origins)
    generator = torch.Generator().manual_seed(0)
    for share, expected in ((0.0, 40), (0.25, 30), (1.0, 0)):
        rays, slots = kept.draw(40, share, generator)
        assert len(rays) == 40 and len(slots) == expected
    kept.generated = None
    assert len(kept.draw(40, 0.5, generator)[1]) == 40
    assert EarlierTasks().draw(40, 0.5, generator)[0] is None


def test_rays_with_measured_depth_are_generated_with_depth(views: list[View]) -> None:
    rays = rays_of(views[:1])
    depths = torch.where(torch.arange(len(rays)) % 2 == 0, 4.0, 0.0)
    measured = SeenRays(rays.origins, rays.directions, rays.near, rays.far, rays.colours, depths, rays.centredness)
    field = trained(config_of(), rays)
    kept = begin_task(field, config_of(**REPLAY), rays, measured)
    assert torch.equal(kept.generated.depths > 0, depths > 0)
    assert torch.equal(kept.generated.depths[::2], render_rays(field, measured, 9999).depths[::2])


def test_a_task_that_goes_on_keeps_anchor_and_cells(views: list[View], tmp_path: Path) -> None:
    right, left = (rays_of(of_side(views, side)) for side in ("right", "left"))
    config, path = config_of(**REPLAY), tmp_path / "c.safetensors"
    field = trained(config, right)
    begin_task(field, config, left, right)
    checkpoint = Checkpoint(field, config, 1.0, Progress(1, 0, 3, 5), ("right", "left"), finished=False)
    save_checkpoint(checkpoint, path)
    again = load_checkpoint(path).field
    assert all(torch.equal(one, other) for part in ("values", "importance")
               for one, other in zip(getattr(again.anchor, part), getattr(field.anchor, part)))
    anchor = moved(again, best_device()).anchor
    begin_task(again, config, left, right, again=True)
    assert again.anchor is anchor
    checkpoint.finished = True
    save_checkpoint(checkpoint, path)
    assert load_checkpoint(path).field.anchor is None


def test_an_anchor_that_does_not_fit_its_field_is_refused(views: list[View], tmp_path: Path) -> None:
    config, path = config_of(), tmp_path / "c.safetensors"
    field = make_field(config, SYNTHETIC_BOX, 1.0)
    field.anchor = Anchor([torch.zeros(2, 1) for _ in learned_values(field)],
                          [torch.ones_like(values) for values in learned_values(field)])
    save_checkpoint(Checkpoint(field, config, 1.0, finished=False), path)
    with pytest.raises(DataError, match="values of the anchor do not fit the field"):
        load_checkpoint(path)


def test_another_task_begins_on_the_finest_grid() -> None:
    field = make_field(config_of(**{"voxel.upsample_at": "0.3,0.6"}), (np.full(3, -1.0), np.full(3, 1.0)), 1.0)
    field.restart(reuse=False)
    assert field.level == 2
