"""A sparse grid of cubic cells: the rows of their corners, and the cell of a point."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array
from torch import Tensor

from cl_localization.errors import DataError

Number = TypeVar("Number", int, float)
UNUSED = -1
BLOCK = 4
"""Edge of the blocks for the first test of rays, in cells."""


def three(kind: Callable[[Any], Number], values: Iterable[Any]) -> tuple[Number, Number, Number]:
    """Return three numbers, along x, y and z, of one kind."""
    x, y, z = (kind(value) for value in values)
    return x, y, z


@dataclass(frozen=True)
class Grid:
    """Corners on a regular grid.

    Attributes:
        low: lowest corner, in units of the scene.
        edge: length of a cell.
        corners: number of corners along x, y and z.
    """

    low: tuple[float, float, float]
    edge: float
    corners: tuple[int, int, int]

    @classmethod
    def over_box(cls, low: np.ndarray, high: np.ndarray, count: int) -> Grid:
        """Return the grid of about `count` corners that covers a box; raises DataError for a box without volume."""
        size = np.asarray(high, float) - np.asarray(low, float)
        if not np.isfinite(size).all() or (size <= 0).any():
            raise DataError("box of the scene", "must have a volume", f"{low} to {high}",
                            "set near and far, or use different poses")
        edge = float((size.prod() / count) ** (1 / 3))
        corners = tuple(int(number) for number in np.ceil(size / edge).astype(int) + 1)
        return cls(three(float, low), edge, three(int, corners))

    @property
    def cells(self) -> tuple[int, int, int]:
        """Number of cells along x, y and z."""
        return three(int, np.array(self.corners) - 1)

    def cell_numbers(self, indices: Tensor) -> Tensor:
        """Return the numbers of the cells with indices (N, 3)."""
        _, y, z = self.cells
        return (indices[:, 0] * y + indices[:, 1]) * z + indices[:, 2]

    def corner_strides(self) -> tuple[int, int, int]:
        """Return the strides of corner numbers along x, y and z."""
        return self.corners[1] * self.corners[2], self.corners[2], 1

    def corner_offsets(self) -> list[int]:
        """Return the numbers of the eight corners of a cell, less that of its lowest."""
        x, y, z = self.corner_strides()
        return [a * x + b * y + c * z for a in (0, 1) for b in (0, 1) for c in (0, 1)]

    def corner_indices(self, numbers: Tensor) -> Tensor:
        """Return the indices (N, 3) of corners (N,) along x, y and z."""
        _, y, z = self.corners
        return torch.stack([numbers // (y * z), numbers // z % y, numbers % z], dim=1)

    def corner_points(self, numbers: Tensor) -> Tensor:
        """Return the positions (N, 3) of corners (N,)."""
        return torch.tensor(self.low, device=numbers.device) + self.edge * self.corner_indices(numbers)


class UsedCells:
    """The used cells of a grid, and the rows where the values of their corners are stored.

    Attributes:
        used: (X, Y, Z) bool.
        corner_numbers: (A,) ascending numbers of the stored corners.
    """

    def __init__(self, grid: Grid, used: Tensor) -> None:
        self.grid, self.used = grid, used
        device = used.device
        where = used.nonzero()
        firsts = (where * torch.tensor(grid.corner_strides(), device=device)).sum(dim=1)
        corners = firsts[:, None] + torch.tensor(grid.corner_offsets(), device=device)
        is_stored = torch.zeros(int(np.prod(grid.corners)), dtype=torch.bool, device=device)
        is_stored[corners.reshape(-1)] = True
        self.corner_numbers = is_stored.nonzero()[:, 0]
        self.row_of = torch.full((len(is_stored),), UNUSED, dtype=torch.int32, device=device)
        self.row_of[self.corner_numbers] = torch.arange(len(self.corner_numbers), dtype=torch.int32, device=device)
        self._rows_of_cell = self.row_of[corners]
        self._cell_index = torch.full((used.numel(),), UNUSED, dtype=torch.int32, device=device)
        self._cell_index[used.reshape(-1).nonzero()[:, 0]] = torch.arange(len(where), dtype=torch.int32, device=device)
        self.blocks = _blocks(used)
        self._laplacian: csr_array | Tensor | None = None

    def find(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the indices of positions (N, 3), in cells from the lowest corner, in used cells, and those cells."""
        limits = torch.tensor(self.grid.cells, dtype=torch.int32, device=positions.device) - 1
        indices = torch.minimum(positions.to(torch.int32).clamp_(min=0), limits)
        found = self._cell_index[self.grid.cell_numbers(indices)]
        kept = (found != UNUSED).nonzero()[:, 0]
        return kept, found[kept]

    def corners_and_weights(self, positions: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows (N, 8) and trilinear weights (N, 8) for positions (N, 3) in used cells (N,)."""
        limits = torch.tensor(self.grid.cells, dtype=torch.int32, device=positions.device) - 1
        fractions = (positions - torch.minimum(positions.to(torch.int32).clamp_(min=0), limits)).clamp_(0.0, 1.0)
        x, y, z = fractions.unbind(dim=1)
        far, near = 1.0 - z, z
        planes = [(1 - x) * (1 - y), (1 - x) * y, x * (1 - y), x * y]
        return self._rows_of_cell[cells], torch.stack([part for plane in planes
                                                       for part in (plane * far, plane * near)], dim=1)

    def variation_gradient(self, values: Tensor) -> Tensor:
        """Return the gradient of half the sum of squared differences between neighbouring corners, (A, C)."""
        if self._laplacian is None:
            self._laplacian = self._make_laplacian()
        if values.device.type == "cpu":
            return torch.from_numpy(self._laplacian @ values.detach().numpy())
        return self._laplacian @ values.detach()

    def _make_laplacian(self) -> csr_array | Tensor:
        count, ends = len(self.corner_numbers), []
        sizes = self.grid.corners
        for axis, stride in enumerate(self.grid.corner_strides()):
            inside = (self.corner_numbers // stride) % sizes[axis] < sizes[axis] - 1
            one = inside.nonzero()[:, 0]
            other = self.row_of[self.corner_numbers[one] + stride]
            ends.append(torch.stack([one[other != UNUSED], other[other != UNUSED].long()]))
        one, other = torch.cat(ends, dim=1).cpu().numpy()
        weight = np.ones(len(one), np.float32)
        adjacency = coo_array((np.r_[weight, weight], (np.r_[one, other], np.r_[other, one])),
                              shape=(count, count)).tocsr()
        degrees = np.asarray(adjacency.sum(axis=1)).ravel()
        diagonal = coo_array((degrees, (np.arange(count), np.arange(count))), shape=(count, count))
        laplacian = csr_array(diagonal - adjacency, dtype=np.float32)
        if self.used.device.type == "cpu":
            return laplacian
        starts, columns, values = (torch.from_numpy(part)
                                   for part in (laplacian.indptr, laplacian.indices, laplacian.data))
        return torch.sparse_csr_tensor(starts, columns, values, size=(count, count), check_invariants=False).to(
            self.used.device)


def _blocks(used: Tensor) -> Tensor:
    """Return the blocks with a used cell and their neighbours; a ray through none of them meets no used cell."""
    pooled = torch.nn.functional.max_pool3d(used[None, None].float(), BLOCK, BLOCK, ceil_mode=True)
    return torch.nn.functional.max_pool3d(pooled, 3, 1, 1)[0, 0] > 0


def grown(used: Tensor) -> Tensor:
    """Return cells (X, Y, Z) with their neighbours."""
    for axis in range(3):
        before, wider, count = used, used.clone(), used.shape[axis]
        wider.narrow(axis, 1, count - 1).logical_or_(before.narrow(axis, 0, count - 1))
        wider.narrow(axis, 0, count - 1).logical_or_(before.narrow(axis, 1, count - 1))
        used = wider
    return used
