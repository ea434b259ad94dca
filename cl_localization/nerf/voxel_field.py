"""The voxel field: density and colour at the corners of used cells (after DVGO and Plenoxels, CVPR 2022).

Empty cells are neither sampled nor stored. The grid is refined during training. Colours are only computed for samples
whose weight is not negligible.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.cells import BLOCK, Grid, UsedCells, grown
from cl_localization.nerf.compositing import Rendered, packed_weights
from cl_localization.nerf.options import VoxelConfig
from cl_localization.nerf.rays import RayBundle, Rays, tightened_to_box

DENSITY_SHIFT = -6.0
"""Softplus of this is the density of a new corner, per edge of the finest cells: almost transparent."""

CLEARED_DENSITY = -2.0
"""Value at a corner that was empty and is used again: more transparent than a new one."""

SURFACE_DENSITY = 10.0
"""Value at a corner next to a measured surface."""

LEAST_WEIGHT = 1e-3
"""Least weight of a sample whose colour is computed."""

VARIATION_EVERY = 4
ADAM_BETAS = (0.9, 0.99)
STATES = ("exp_avg", "exp_avg_sq")

CONSTANT, LINEAR = 0.28209479, 0.48860251
MIXED, AXIAL, PLANAR = 1.09254843, 0.31539157, 0.54627422
"""Factors of the real spherical harmonics."""


class VoxelField(nn.Module):
    """Grids of density and colour over a box.

    Attributes:
        low, high: (3,) corners of the box.
        background: grey value in [0, 1] of the background.
        far: distance of the background.
        cells: the used cells.
        density, colour: (A, 1) and (A, 3 * harmonics) at the stored corners.
        level: number of refinements so far.
        anchor: see `Anchor`; None for none.
    """

    anchor: Anchor | None = None

    def __init__(self, config: VoxelConfig, low: np.ndarray, high: np.ndarray, background: float, far: float, *,
                 empty: bool = False) -> None:
        """Create an untrained field.

        Args:
            empty: whether to start on the finest grid without used cells, for scenes with depth.

        Raises:
            DataError: a box without volume.
        """
        super().__init__()
        self.config, self.low, self.high = config, np.asarray(low, float), np.asarray(high, float)
        self.background, self.far = background, far
        self.upsample_at = tuple(float(word) for word in config.upsample_at.split(",") if word.strip())
        self.finest_edge = Grid.over_box(self.low, self.high, config.voxels).edge
        self.level = len(self.upsample_at) if empty else 0
        grid = self.grid_of(self.level)
        self.cells = UsedCells(grid, torch.full(grid.cells, not empty))
        count, width = len(self.cells.corner_numbers), 3 * harmonics_count(config.harmonics)
        self.density, self.colour = nn.Parameter(torch.zeros(count, 1)), nn.Parameter(torch.zeros(count, width))
        self.optimizer: torch.optim.Optimizer = self._new_optimizer()

    @property
    def device(self) -> torch.device:
        """Device of the values."""
        return self.density.device

    def on(self, device: torch.device) -> VoxelField:
        """Move the field to a device and return it; this resets the optimizer."""
        self.put(UsedCells(self.cells.grid, self.cells.used.to(device)), self.density.detach().to(device),
                 self.colour.detach().to(device))
        return self

    def put(self, cells: UsedCells, density: Tensor, colour: Tensor) -> None:
        """Use cells with values (A, 1) and (A, 3 * harmonics) at their corners; this resets the optimizer."""
        self.cells, self.density, self.colour = cells, nn.Parameter(density), nn.Parameter(colour)
        self.optimizer = self._new_optimizer()

    def take(self, config: VoxelConfig, far: float) -> None:
        """Continue with other options on the same grids; the optimizer keeps its state."""
        self.config, self.far = config, far
        for group, rate in zip(self.optimizer.param_groups, (self.config.density_rate, self.config.colour_rate)):
            group["lr"] = group["full_rate"] = rate

    def restart(self, reuse: bool = True) -> None:
        """Prepare for another task: refine to the finest grid and reset the optimizer.

        Args:
            reuse: whether to use empty cells again, which the task may need.
        """
        while self.level < len(self.upsample_at):
            self.refine()
        self.optimizer = self._new_optimizer()
        if reuse:
            self._use(torch.ones_like(self.cells.used), CLEARED_DENSITY)

    def render(self, rays: RayBundle, generator: torch.Generator | None = None) -> list[Rendered]:
        """Return the rendered rays as the only element of a list; a generator shifts the samples, for training."""
        ray, distances, positions, cells = self._samples(rays, generator)
        rows, weights = self.cells.corners_and_weights(positions, cells)
        raw = interpolate(self.density, rows, weights)[:, 0] + DENSITY_SHIFT
        length = self.config.step * self.cells.grid.edge / self.finest_edge
        shares = packed_weights(nn.functional.softplus(raw) * length, ray, len(rays))
        kept = (shares.detach() > LEAST_WEIGHT).nonzero()[:, 0]
        functions = harmonics(rays.directions, self.config.harmonics)[ray[kept]]
        values = interpolate(self.colour, rows[kept], weights[kept]).view(len(kept), 3, functions.shape[1])
        colours = torch.sigmoid((values * functions[:, None]).sum(dim=2))
        opacities = shares.new_zeros(len(rays)).index_add(0, ray, shares)
        clear = 1.0 - opacities
        seen = shares.new_zeros(len(rays), 3).index_add(0, ray[kept], shares[kept, None] * colours)
        depths = shares.new_zeros(len(rays)).index_add(0, ray, shares * distances)
        return [Rendered(seen + self.background * clear[:, None], depths + self.far * clear, opacities)]

    def tightened(self, rays: Rays) -> Rays:
        """Return rays bounded to the blocks of used cells that they meet; far = near if there are none."""
        if len(rays) == 0:
            return rays
        low, high = self._box()
        near, far = tightened_to_box(rays, low, high)
        block = BLOCK * self.cells.grid.edge
        stride = 0.5 * block
        count = int(torch.ceil((far - near).max() / stride).item()) + 1
        distances = torch.minimum(near[:, None] + stride * torch.arange(count, device=self.device), far[:, None])
        # the blocks include their neighbours, so that no used cell between two samples is missed
        numbers = torch.zeros(distances.shape, dtype=torch.int64, device=self.device)
        for axis, size in enumerate(self.cells.blocks.shape):
            along = ((rays.origins[:, axis] - low[axis]) / block)[:, None] + distances * (
                rays.directions[:, axis] / block
            )[:, None]
            numbers = numbers * size + along.to(torch.int64).clamp_(0, size - 1)
        meets = self.cells.blocks.reshape(-1)[numbers] & (far > near)[:, None]
        first = torch.where(meets, distances, torch.inf).amin(dim=1) - stride
        last = torch.where(meets, distances, -torch.inf).amax(dim=1) + stride
        any_met = meets.any(dim=1)
        return replace(rays, near=torch.where(any_met, torch.maximum(near, first), near),
                       far=torch.where(any_met, torch.minimum(far, last), near))

    def before_step(self, step: int, total: int, epoch: float = 0.0) -> bool:
        """Set the learning rates; refine or prune the cells when due, and return whether they changed."""
        progress = min(step / max(total, 1), 1.0)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * self.config.final_rate ** progress
        if self.level < len(self.upsample_at) and progress >= self.upsample_at[self.level]:
            self.refine()
            return True
        if step and step % self.config.prune_every == 0:
            self.prune()
            return True
        return False

    def after_backward(self, step: int, rays: int) -> None:
        """Add the gradient of the total variation, relative to a loss that is the mean over `rays`."""
        if step % VARIATION_EVERY:
            return
        for values, weight in ((self.density, self.config.density_variation),
                               (self.colour, self.config.colour_variation)):
            if weight and values.grad is not None:
                values.grad.add_(self.cells.variation_gradient(values), alpha=VARIATION_EVERY * weight / rays)

    def refine(self) -> None:
        """Refine the grid where the coarse one is occupied."""
        old, device = self.cells, self.device
        self.level += 1
        grid = self.grid_of(self.level)
        numbers = torch.arange(int(np.prod(grid.corners)), device=device)
        positions = (grid.corner_points(numbers) - self._box()[0]) / old.grid.edge
        kept, cells = old.find(positions)
        rows, weights = old.corners_and_weights(positions[kept], cells)
        with torch.no_grad():
            density, colour = (interpolate(values, rows, weights) for values in (self.density, self.colour))
            opaque = torch.zeros(len(numbers), device=device)
            opaque[kept] = self._opacities(density, grid.edge)
            self.cells = UsedCells(grid, grown(_largest_of_cell(opaque, grid) > self.config.occupied_opacity))
            at = torch.full((len(numbers),), -1, dtype=torch.int64, device=device)
            at[kept] = torch.arange(len(kept), device=device)
            at = at[self.cells.corner_numbers]
            self.density, self.colour = (nn.Parameter(_picked(values, at)) for values in (density, colour))
        self.optimizer = self._new_optimizer()

    def prune(self) -> None:
        """Remove empty cells, except for neighbours of occupied ones."""
        with torch.no_grad():
            opaque = torch.zeros(int(np.prod(self.cells.grid.corners)), device=self.device)
            opaque[self.cells.corner_numbers] = self._opacities(self.density, self.cells.grid.edge)
            occupied = _largest_of_cell(opaque, self.cells.grid) > self.config.occupied_opacity
        self._use(grown(occupied) & self.cells.used)

    def add_surface(self, points: Tensor, colours: Tensor) -> None:
        """Use the cells around measured points (N, 3); new corners get a high density and colours (N, 3) in [0, 1]."""
        grid = self.cells.grid
        positions = (points - self._box()[0]) / grid.edge
        inside = ((positions >= 0) & (positions < torch.tensor(grid.cells, device=self.device))).all(dim=1)
        indices, colours = positions[inside].to(torch.int64), colours[inside]
        hit = torch.zeros_like(self.cells.used)
        hit[indices.unbind(dim=1)] = True
        before = self.cells
        self._use(grown(hit) | before.used)
        is_new = torch.ones(int(np.prod(grid.corners)), dtype=torch.bool, device=self.device)
        is_new[before.corner_numbers] = False
        corners = (indices * torch.tensor(grid.corner_strides(), device=self.device)).sum(dim=1)
        with torch.no_grad():
            for offset in grid.corner_offsets():
                chosen = is_new[corners + offset]
                rows = self.cells.row_of[corners[chosen] + offset].long()
                self.density[rows] = SURFACE_DENSITY
                base = torch.logit(colours[chosen].clamp(0.02, 0.98)) / CONSTANT
                self.colour.view(len(self.colour), 3, -1)[rows, :, 0] = base

    def _samples(self, rays: RayBundle, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return ray, distance, position in cells (M, 3) and cell of all samples in used cells."""
        low, high = self._box()
        near, far = tightened_to_box(rays, low, high)
        edge = self.cells.grid.edge
        length = self.config.step * edge
        counts = torch.ceil((far - near) / length).to(torch.int64)
        ray = torch.repeat_interleave(torch.arange(len(rays), device=self.device), counts)
        number = torch.arange(len(ray), device=self.device) - (torch.cumsum(counts, dim=0) - counts)[ray]
        shift = torch.full((len(rays),), 0.5) if generator is None else torch.rand(len(rays), generator=generator)
        distances = (near + length * shift.to(self.device))[ray] + length * number
        positions = ((rays.origins - low) / edge)[ray] + distances[:, None] * (rays.directions / edge)[ray]
        kept, cells = self.cells.find(positions)
        return ray[kept], distances[kept], positions[kept], cells

    def _opacities(self, density: Tensor, length: float) -> Tensor:
        """Return the opacity (N,) of `length` at densities (N, 1)."""
        return 1.0 - torch.exp(-nn.functional.softplus(density[:, 0] + DENSITY_SHIFT) * (length / self.finest_edge))

    def _use(self, used: Tensor, new_density: float = 0.0) -> None:
        """Use other cells of the same grid; remaining corners keep their values and optimizer state."""
        before, self.cells = self.cells, UsedCells(self.cells.grid, used)
        at = before.row_of[self.cells.corner_numbers].long()
        self.anchor = None if self.anchor is None else self.anchor.picked(at)
        states = [self.optimizer.state.get(values, {}) for values in (self.density, self.colour)]
        self.density, self.colour = (nn.Parameter(_picked(values.detach(), at))
                                     for values in (self.density, self.colour))
        self.density.data[at < 0] = new_density
        self.optimizer = self._new_optimizer()
        for values, state in zip((self.density, self.colour), states):
            if state:
                self.optimizer.state[values] = {**state, **{name: _picked(state[name], at) for name in STATES}}

    def _new_optimizer(self) -> torch.optim.Adam:
        groups = [{"params": [values], "lr": rate, "full_rate": rate}
                  for values, rate in ((self.density, self.config.density_rate),
                                       (self.colour, self.config.colour_rate))]
        return torch.optim.Adam(groups, betas=ADAM_BETAS, fused=True)

    def grid_of(self, level: int) -> Grid:
        """Return the grid after `level` refinements."""
        coarser = self.config.growth ** (len(self.upsample_at) - level)
        return Grid.over_box(self.low, self.high, max(round(self.config.voxels / coarser ** 3), 8))

    def _box(self) -> tuple[Tensor, Tensor]:
        low, high = (torch.tensor(side, dtype=torch.float32, device=self.device) for side in (self.low, self.high))
        return low, high


def harmonics_count(degree: int) -> int:
    """Return the number of spherical harmonics up to a degree."""
    return (degree + 1) ** 2


def harmonics(directions: Tensor, degree: int) -> Tensor:
    """Return the values of the real spherical harmonics (N, (degree + 1)^2) for unit directions (N, 3); degree
    0 to 2."""
    x, y, z = directions.unbind(dim=1)
    values = [torch.full_like(x, CONSTANT)]
    if degree >= 1:
        values += [LINEAR * y, LINEAR * z, LINEAR * x]
    if degree >= 2:
        values += [MIXED * x * y, MIXED * y * z, AXIAL * (3 * z * z - 1), MIXED * x * z, PLANAR * (x * x - y * y)]
    return torch.stack(values, dim=1)


def interpolate(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Return (N, C): sum over k of weights[n, k] * table[rows[n, k]].

    On a CPU a product with a sparse matrix is 5 to 20 times faster than PyTorch's own backward passes.

    Args:
        table: (V, C) float32.
        rows: (N, K) int32.
        weights: (N, K) float32; no gradient goes to them.
    """
    if table.device.type == "cpu":
        return _SparseProduct.apply(table, rows, weights)
    return nn.functional.embedding_bag(rows.long(), table, mode="sum", per_sample_weights=weights)


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        count, width = rows.shape
        ends = np.arange(0, count * width + 1, width, dtype=np.int32)
        matrix = csr_array((weights.detach().numpy().ravel(), rows.numpy().ravel(), ends), shape=(count, len(table)))
        context.matrix = matrix
        return torch.from_numpy(matrix @ table.detach().numpy())

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return torch.from_numpy(context.matrix.T @ gradient.numpy()), None, None


def _largest_of_cell(values: Tensor, grid: Grid) -> Tensor:
    """Return the largest value at the eight corners of every cell."""
    return nn.functional.max_pool3d(values.view(1, 1, *grid.corners), 2, 1)[0, 0]


def _picked(values: Tensor, at: Tensor) -> Tensor:
    """Return rows of values, zeros for negative rows."""
    picked = values[at.clamp(min=0)] if len(values) else values.new_zeros(len(at), values.shape[1])
    picked[at < 0] = 0
    return picked
