from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.errors import DataError
from cl_localization.nerf.cells import Grid, UsedCells
from cl_localization.nerf.options import VoxelConfig
from cl_localization.nerf.rays import RayBundle, SeenRays
from cl_localization.nerf.views import View
from cl_localization.nerf.voxel_field import VoxelField, harmonics, harmonics_count, interpolate

BOX = (np.full(3, -1.5), np.full(3, 1.5))
SMALL = VoxelConfig(voxels=4096, upsample_at="0.3", prune_every=20, density_variation=1e-6, colour_variation=1e-6)


def rays_of(views: list[View]) -> SeenRays:
    return SeenRays.joined([view.rays(2.0, 6.0) for view in views])


def trained(views: list[View], steps: int, config: VoxelConfig = SMALL) -> VoxelField:
    field, rays, generator = VoxelField(config, *BOX, 1.0, 6.0), rays_of(views), torch.Generator().manual_seed(0)
    for step in range(steps):
        field.before_step(step, steps)
        rows = torch.randint(len(rays), (512,), generator=generator)
        batch = field.tightened(rays.rows(rows))
        field.optimizer.zero_grad()
        ((field.render(batch, generator)[0].colours - batch.colours) ** 2).mean().backward()
        field.after_backward(step, 512)
        field.optimizer.step()
    return field


def test_interpolation_and_its_gradient_are_those_of_the_plain_sum() -> None:
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(20, 3, generator=generator, requires_grad=True)
    rows, weights = (
        torch.randint(20, (7, 8), generator=generator, dtype=torch.int32),
        torch.rand(7, 8, generator=generator),
    )
    ours, plain = interpolate(table, rows, weights), (table[rows.long()] * weights[..., None]).sum(dim=1)
    assert torch.allclose(ours, plain, atol=1e-6)
    upstream = torch.randn(7, 3, generator=generator)
    gradients = [torch.autograd.grad(value, table, upstream, retain_graph=True)[0] for value in (ours, plain)]
    assert torch.allclose(*gradients, atol=1e-5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(3, 7))
def test_a_linear_function_is_interpolated_exactly_in_used_cells(seed: int, side: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    grid = Grid.over_box(np.zeros(3), np.array([1.0, 1.5, 2.0]), side ** 3)
    used = torch.rand(grid.cells, generator=generator) < 0.5
    cells = UsedCells(grid, used)
    values = grid.corner_points(cells.corner_numbers) @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
    points = torch.rand(50, 3, generator=generator) * torch.tensor([1.0, 1.5, 2.0])
    kept, index = cells.find(points / grid.edge)
    indices = torch.minimum((points / grid.edge).long(), torch.tensor(grid.cells) - 1)
    assert torch.equal(torch.zeros(50, dtype=torch.bool).index_fill(0, kept, True), used[indices.unbind(dim=1)])
    found = interpolate(values, *cells.corners_and_weights(points[kept] / grid.edge, index))
    assert torch.allclose(found, points[kept] @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3, atol=1e-4)


def test_variation_is_the_gradient_of_squared_differences() -> None:
    grid = Grid.over_box(np.zeros(3), np.ones(3), 27)
    cells = UsedCells(grid, torch.ones(grid.cells, dtype=torch.bool))
    values = torch.randn(len(cells.corner_numbers), 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    whole = values.view(*cells.grid.corners, 2)
    total = sum((whole.diff(dim=axis) ** 2).sum() for axis in range(3)) / 2
    assert torch.allclose(cells.variation_gradient(values), torch.autograd.grad(total, values)[0], atol=1e-4)


def test_spherical_harmonics_are_orthonormal() -> None:
    directions = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)),
                                               dim=1)
    values = harmonics(directions, 2)
    assert harmonics_count(2) == 9
    assert torch.allclose(values.T @ values * 4 * math.pi / len(values), torch.eye(9), atol=0.05)


def test_it_learns_a_scene_and_skips_empty_cells(views: list[View]) -> None:
    field = trained(views, 80)
    rays = rays_of(views)
    error = float(((field.render(field.tightened(rays))[0].colours.detach() - rays.colours) ** 2).mean())
    assert error < 0.01
    assert field.level == 1 and float(field.cells.used.float().mean()) < 0.9


def test_tightening_rays_does_not_change_what_they_see(views: list[View]) -> None:
    field, rays = trained(views, 60), rays_of(views)
    tight = field.tightened(rays)
    whole, cut = field.render(rays)[0], field.render(tight)[0]
    assert float((tight.far - tight.near).sum()) < float((rays.far - rays.near).sum())
    # The samples of a cut ray begin elsewhere, by less than a sample's distance.
    assert float((whole.colours - cut.colours).detach().abs().mean()) < 0.02


def test_rays_that_meet_nothing_see_the_background() -> None:
    field = VoxelField(SMALL, *BOX, 1.0, 6.0, empty=True)
    rays = RayBundle(torch.tensor([[0.0, 0, 4], [9.0, 9, 9]]), torch.tensor([[0.0, 0, -1], [0.0, 0, 1]]),
                     torch.full((2,), 2.0),
                     torch.full((2,), 6.0))
    seen = field.render(field.tightened(rays))[0]
    assert (
        torch.equal(seen.colours, torch.ones(2, 3))
        and seen.opacities.tolist() == [0, 0]
        and seen.depths.tolist() == [6, 6]
    )


def test_measured_surfaces_are_seen_at_once() -> None:
    field = VoxelField(SMALL, *BOX, 0.0, 6.0, empty=True)
    y, z = torch.meshgrid(torch.linspace(-1, 1, 60), torch.linspace(-1, 1, 60), indexing="ij")
    wall = torch.stack([torch.zeros_like(y), y, z], dim=2).reshape(-1, 3)
    field.add_surface(wall, torch.tensor([[0.9, 0.5, 0.1]]).expand(len(wall), 3))
    rays = RayBundle(torch.tensor([[4.0, 0.1, 0.2]]), torch.tensor([[-1.0, 0, 0]]), torch.tensor([2.0]),
                     torch.tensor([6.0]))
    seen = field.render(field.tightened(rays))[0]
    assert torch.allclose(seen.colours[0], torch.tensor([0.9, 0.5, 0.1]), atol=0.05)
    assert float(seen.opacities[0]) > 0.95 and abs(float(seen.depths[0]) - 4.0) < 0.3
    before = field.density.detach().clone()
    field.add_surface(wall, torch.zeros(len(wall), 3))
    assert torch.equal(field.density, before)


def test_restarting_uses_all_cells_and_changes_no_value(views: list[View]) -> None:
    field = trained(views, 80)
    numbers, colour = field.cells.corner_numbers, field.colour.detach().clone()
    field.restart()
    assert bool(field.cells.used.all())
    assert torch.equal(field.colour[field.cells.row_of[numbers].long()], colour)


def test_a_box_without_volume_is_refused() -> None:
    with pytest.raises(DataError, match="box of the scene must have a volume"):
        VoxelField(SMALL, np.zeros(3), np.array([1.0, 1.0, 0.0]), 1.0, 6.0)
