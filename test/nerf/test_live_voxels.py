"""A box of voxels that grows, and whose cells grow."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.nerf.live import VOXELS
from cl_localization.nerf.live_voxels import GrowingVoxels
from cl_localization.nerf.rays import RayBundle


def walls(max_bytes: int = 50_000_000, count: int = 400) -> GrowingVoxels:
    """A field with a red wall at x = 1, seen as measured points."""
    field = GrowingVoxels(VOXELS, np.zeros(3), 0.1, 0.5, 9.0, max_bytes)
    rng = np.random.default_rng(0)
    points = np.column_stack([np.full(count, 1.02), rng.uniform(-0.5, 0.5, (count, 2))])
    field.hold(points.min(axis=0), points.max(axis=0))
    field.add_surface(torch.from_numpy(points).float(), torch.tensor([[0.9, 0.1, 0.1]]).repeat(count, 1))
    return field


def seen(field: GrowingVoxels) -> tuple[torch.Tensor, float]:
    """Colour and distance that a ray along x sees from the origin."""
    ray = RayBundle(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([0.05]), torch.tensor([9.0]))
    level = field.render(field.tightened(ray))[-1]
    return level.colours[0].detach(), float(level.depths[0].detach())


def test_growing_changes_nothing_that_was_known() -> None:
    field = walls()
    colour, distance = seen(field)
    assert colour[0] > 0.7 and abs(distance - 1.0) < 0.15
    values, edge = field.density.detach().clone(), field.edge
    field.hold(np.array([-7.0, -3.0, -1.0]), np.array([4.0, 8.0, 2.0]))
    assert torch.equal(field.density, values) and field.edge == edge
    assert (field.low <= [-7, -3, -1]).all() and (field.high >= [4, 8, 2]).all()
    again, farther = seen(field)
    assert torch.allclose(again, colour, atol=0.02) and abs(farther - distance) < 0.02


def test_larger_cells_show_the_same_less_exactly() -> None:
    field = walls()
    bytes_before, cells = field.size_bytes, int(field.cells.used.sum())
    field.coarsen()
    colour, distance = seen(field)
    assert field.edge == 0.2 and field.size_bytes < bytes_before and int(field.cells.used.sum()) < cells
    assert colour[0] > 0.6 and abs(distance - 1.0) < 0.3
    assert len(field.density) == len(field.colour) == len(field.cells.corner_numbers)


def test_a_field_fits_its_bound() -> None:
    field = walls(max_bytes=200_000)
    assert field.size_bytes > 200_000
    field.shrink_to_bound()
    assert field.size_bytes <= 200_000 and field.edge > 0.1


@given(centre=st.lists(st.floats(-1e5, 1e5), min_size=3, max_size=3), size=st.floats(0.0, 50.0))
@settings(max_examples=30, deadline=None)
def test_any_box_is_held_within_the_bound(centre: list[float], size: float) -> None:
    field = GrowingVoxels(VOXELS, np.zeros(3), 0.1, 0.5, 9.0, 1_000_000)
    low, high = np.array(centre) - size, np.array(centre) + size
    field.hold(low, high)
    tolerance = 1e-6 * (1 + np.abs(centre).max())
    assert (field.low <= low + tolerance).all() and (field.high >= high
                                                     - tolerance).all() and field.size_bytes <= 1_000_000


def test_rates_are_scaled_and_empty_cells_are_given_up_in_time() -> None:
    field = walls()
    field.rate = 0.5
    assert not field.before_step(1)
    assert [group["lr"] for group in field.optimizer.param_groups] == [0.5 * VOXELS.density_rate,
                                                                       0.5 * VOXELS.colour_rate]
    used = torch.zeros_like(field.cells.used)
    used[:2, :2, :2] = True
    field.use_seen(used)
    before = int(field.cells.used.sum())
    field.density.data[:] = -20.0
    assert field.before_step(VOXELS.prune_every) and int(field.cells.used.sum()) < before
