"""Values between the cells of dense maps are those that PyTorch's `grid_sample` gives, the slow path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cl_localization.features.xfeat import sample_bilinear, sample_descriptors

TOLERANCE = 2e-6


def maps_of(channels: int, height: int = 6, width: int = 9) -> np.ndarray:
    """Return random maps (h, w, C)."""
    return np.random.default_rng(0).normal(size=(height, width, channels)).astype(np.float32)


def positions(count: int = 400) -> np.ndarray:
    """Return positions (N, 2) in an image of 72x48 px, corners and borders included."""
    inside = np.random.default_rng(1).uniform([0, 0], [72, 48], (count, 2))
    return np.concatenate([inside, [[0, 0], [72, 48], [0.5, 0.5], [71.5, 47.5], [36, 24], [4, 4]]]).astype(np.float32)


def by_torch(maps: np.ndarray, positions_px: np.ndarray, mode: str) -> torch.Tensor:
    """Return the values (N, C) that PyTorch samples."""
    grid = torch.from_numpy(positions_px) / torch.tensor([72, 48]) * 2 - 1
    return F.grid_sample(torch.from_numpy(maps).permute(2, 0, 1)[None], grid[None, None], mode=mode,
                         align_corners=False)[0, :, 0].T


def test_maps_are_sampled_where_their_cells_lie():
    columns = np.tile(np.arange(4, dtype=np.float32), (4, 1))[..., None]
    found = sample_bilinear(columns, np.array([[4, 4], [12, 20], [8, 4]], np.float32), (32, 32))
    np.testing.assert_allclose(found[:, 0], [0, 1, 0.5], atol=1e-6)


def test_bilinear_values_are_those_of_torch():
    np.testing.assert_allclose(sample_bilinear(maps_of(3), positions(), (48, 72)),
                               by_torch(maps_of(3), positions(), "bilinear"), atol=TOLERANCE)


@pytest.mark.parametrize("channels", [1, 64])
def test_descriptors_are_those_of_torch_and_of_unit_length(channels):
    found = sample_descriptors(maps_of(channels), positions(), (48, 72))
    np.testing.assert_allclose(found, F.normalize(by_torch(maps_of(channels), positions(), "bicubic"), dim=1),
                               atol=10 * TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found.dtype == np.float32


def test_nothing_is_sampled_nowhere():
    assert sample_descriptors(maps_of(64), np.zeros((0, 2), np.float32), (48, 72)).shape == (0, 64)
