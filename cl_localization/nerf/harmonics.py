"""Real spherical harmonics up to degree 2, for view-dependent colours."""

from __future__ import annotations

import torch
from torch import Tensor

CONSTANT, LINEAR = 0.28209479, 0.48860251
MIXED, AXIAL, PLANAR = 1.09254843, 0.31539157, 0.54627422


def harmonics_count(degree: int) -> int:
    """Return the number of functions up to a degree."""
    return (degree + 1) ** 2


def harmonics(directions: Tensor, degree: int) -> Tensor:
    """Return the functions' values (N, (degree + 1)^2) for unit directions (N, 3); degree 0 to 2."""
    x, y, z = directions.unbind(dim=1)
    values = [torch.full_like(x, CONSTANT)]
    if degree >= 1:
        values += [LINEAR * y, LINEAR * z, LINEAR * x]
    if degree >= 2:
        values += [MIXED * x * y, MIXED * y * z, AXIAL * (3 * z * z - 1), MIXED * x * z, PLANAR * (x * x - y * y)]
    return torch.stack(values, dim=1)
