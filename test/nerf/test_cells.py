"""Three numbers of a grid, and its cells."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.nerf.cells import Grid, three


def test_three_numbers_become_python_numbers_of_one_kind() -> None:
    found = three(int, np.array([1.0, 2.0, 3.0]))
    assert found == (1, 2, 3) and all(type(number) is int for number in found)


def test_other_counts_are_no_place() -> None:
    with pytest.raises(ValueError, match="unpack"):
        three(float, [1.0, 2.0])


def test_a_grid_has_one_cell_less_than_corners() -> None:
    assert Grid((0.0, 0.0, 0.0), 0.5, (3, 4, 5)).cells == (2, 3, 4)
