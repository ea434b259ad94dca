"""A voxel field whose box grows with the observed space, with larger cells when memory is short."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cl_localization.nerf.cells import Grid, UsedCells, three
from cl_localization.nerf.options import VoxelConfig
from cl_localization.nerf.voxel_field import LEAST_WEIGHT, VoxelField

GROWTH_CELLS = 8
"""Margin of a grown box in cells, so that it does not grow with every image."""

COPIES = 4
"""Numbers stored per value: itself, its gradient, and Adam's two moments."""

CORNER_BYTES, CELL_BYTES, GRID_BYTES = 80, 32, 10
"""Bytes of a stored corner besides its values, of a used cell, and of any cell in the box."""

BYTES_PER_NUMBER = 4


class GrowingVoxels(VoxelField):
    """Voxels in a box that grows.

    Attributes:
        rate: factor on the learning rates.
        max_bytes: memory bound.
    """

    def __init__(self, config: VoxelConfig, centre: np.ndarray, edge: float, background: float, far: float,
                 max_bytes: int) -> None:
        """Create a small box of unused cells of length `edge` around a centre (3,)."""
        half = GROWTH_CELLS * edge
        super().__init__(config, centre - half, centre + half, background, far, empty=True)
        self.rate, self.max_bytes = 1.0, max_bytes
        self._on(Grid(three(float, centre - half), edge, three(int, [2 * GROWTH_CELLS + 1] * 3)))

    @property
    def edge(self) -> float:
        """Length of a cell."""
        return self.cells.grid.edge

    @property
    def size_bytes(self) -> int:
        """Size of the field in bytes."""
        used = self.cells.used
        per_corner = COPIES * BYTES_PER_NUMBER * (1 + self.colour.shape[1]) + CORNER_BYTES
        return len(self.density) * per_corner + int(used.sum()) * CELL_BYTES + used.numel() * GRID_BYTES

    def before_step(self, step: int, total: int = 0, epoch: float = 0.0) -> bool:
        """Set the learning rates, and prune empty cells periodically; return whether cells changed."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * self.rate
        if step and step % self.config.prune_every == 0:
            self.prune()
            return True
        return False

    def hold(self, low: np.ndarray, high: np.ndarray) -> None:
        """Extend the box to contain another one, from `low` to `high` (3,)."""
        while True:
            grid = self.cells.grid
            first = np.floor((low - np.array(grid.low)) / grid.edge).astype(int)
            last = np.ceil((high - np.array(grid.low)) / grid.edge).astype(int)
            before = np.where(first < 0, GROWTH_CELLS - first, 0)
            after = np.where(last > grid.cells, last - grid.cells + GROWTH_CELLS, 0)
            corners = np.array(grid.corners) + before + after
            if GRID_BYTES * float(np.prod(corners.astype(float))) <= self.max_bytes / 2:
                break
            self.coarsen()
        if before.any() or after.any():
            bounds = [side for axis in (2, 1, 0) for side in (int(before[axis]), int(after[axis]))]
            used = nn.functional.pad(self.cells.used, bounds)
            # the order of stored corners does not change when cells are added around them
            moved = three(float, np.array(grid.low) - before * grid.edge)
            self._on(Grid(moved, grid.edge, three(int, corners)), used)

    def shrink_to_bound(self) -> None:
        """Coarsen the cells until the field fits its memory."""
        while self.size_bytes > self.max_bytes:
            self.coarsen()

    def coarsen(self) -> None:
        """Double the size of the cells: a corner gets the largest density and the mean colour of those it replaces."""
        old = self.cells
        cells = tuple(-(-number // 2) for number in old.grid.cells)
        grid = Grid(old.grid.low, 2 * old.grid.edge, three(int, [number + 1 for number in cells]))
        used = nn.functional.max_pool3d(old.used[None, None].float(), 2, 2, ceil_mode=True)[0, 0] > 0
        density, colour = self.density.detach(), self.colour.detach()
        weights = self._opacities(density, old.grid.edge)[:, None] + LEAST_WEIGHT
        indices = old.grid.corner_indices(old.corner_numbers)
        strides = torch.tensor(grid.corner_strides(), device=self.device)
        count = int(np.prod(grid.corners))
        highest, total = density.new_full((count, 1), -torch.inf), density.new_zeros(count, 1)
        sums = colour.new_zeros(count, colour.shape[1])
        for side in range(8):
            up = torch.tensor([side >> axis & 1 for axis in range(3)], device=self.device)
            numbers = ((indices + up) // 2 * strides).sum(dim=1)
            highest.scatter_reduce_(0, numbers[:, None], density, "amax")
            total.index_add_(0, numbers, weights)
            sums.index_add_(0, numbers, weights * colour)
        highest[torch.isinf(highest)] = 0.0
        self._on(grid, used)
        stored = self.cells.corner_numbers
        self.put(self.cells, highest[stored], sums[stored] / total[stored].clamp(min=LEAST_WEIGHT))

    def use_seen(self, seen: Tensor) -> None:
        """Use further cells (X, Y, Z), untrained."""
        self._use(self.cells.used | seen)

    def adopt(self, cells: UsedCells, density: Tensor, colour: Tensor) -> None:
        """Use other cells with values (A, 1) and (A, C) at their corners."""
        self._on(cells.grid, cells.used)
        self.put(self.cells, density, colour)

    def _on(self, grid: Grid, used: Tensor | None = None) -> None:
        self.cells = UsedCells(grid, torch.zeros(grid.cells, dtype=torch.bool, device=self.device) if used is None
                               else used)
        self.low = np.array(grid.low)
        self.high = self.low + grid.edge * np.array(grid.cells)
        self.finest_edge = grid.edge
