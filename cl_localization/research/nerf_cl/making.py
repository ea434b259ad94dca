"""Fields as options want them, on the device that is there."""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.nerf.voxel_field import VoxelField
from cl_localization.research.nerf_cl.mlp_field import MlpField
from cl_localization.research.nerf_cl.options import NerfConfig


def make_field(config: NerfConfig, box: tuple[np.ndarray, np.ndarray], background: float, *,
               empty: bool = False) -> VoxelField | MlpField:
    """Return a field that has learned nothing, the same for the same seed.

    Args:
        box: lowest and highest corner of what can be seen; mlp needs none.
        background: grey value in [0, 1].
        empty: whether surfaces will be given by depth; see `VoxelField`.

    Raises:
        DataError: a box without a volume.
    """
    if config.field == "voxel":
        return VoxelField(config.voxel, *box, background, config.far, empty=empty)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.learning.seed)
        return MlpField(config, background)


def best_device() -> torch.device:
    """Return the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def moved(field: VoxelField | MlpField, device: torch.device) -> VoxelField | MlpField:
    """Return a field on a device, its optimizer fresh."""
    field.anchor = None if field.anchor is None else field.anchor.on(device)
    if isinstance(field, VoxelField):
        return field.on(device)
    field.to(device)
    field.restart()
    return field
