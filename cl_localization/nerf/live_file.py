"""Files of live fields: keyframes, and the field if there is one, in one file, written atomically, to go on from."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl_localization.config import LiveNerfConfig
from cl_localization.data.network_file import NetworkFile
from cl_localization.errors import DataError, LocalizationError
from cl_localization.nerf.cells import Grid, UsedCells, three
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.live_voxels import GRID_BYTES
from cl_localization.nerf.views import BYTES_PER_MB

FILE = NetworkFile("cl_localization_live_nerf", "radiance field", DataError, "one is saved when the mapper ends")
REPLAY, USED, DENSITY, COLOUR = "replay", "used", "density", "colour"


def save_live(live: LiveField, path: Path, owner: str) -> None:
    """Write a field, with the id of its owner, such as a map.

    Raises:
        DataError: it cannot be written, or has no keyframes.
    """
    if not live.keyframes:
        raise DataError(f"radiance field {path}", "must have a keyframe to be saved", "none yet", "add a keyframe")
    with TemporaryDirectory() as folder:
        live.memory.save(Path(folder) / REPLAY)
        replay = torch.from_numpy(np.fromfile(Path(folder) / REPLAY, np.uint8))
    tensors = {REPLAY: replay}
    metadata = {"owner": owner, "keyframes": live.keyframes, "steps": live.steps, "skipped": live.skipped,
                "measured": live.measured}
    if live.field is not None:
        grid = live.field.cells.grid
        tensors |= {DENSITY: live.field.density, COLOUR: live.field.colour,
                    USED: torch.from_numpy(np.packbits(live.field.cells.used.numpy().reshape(-1)))}
        metadata |= {"low": grid.low, "edge": grid.edge, "corners": grid.corners}
    FILE.write(path, tensors, metadata)


def load_live(path: Path, config: LiveNerfConfig) -> tuple[LiveField, str]:
    """Return a saved field, ready to continue training, and its owner.

    Raises:
        DataError: no such file, another kind of file, truncated, inconsistent, or larger than the memory bounds.
    """
    tensors, metadata = FILE.read(path)
    try:
        live = LiveField(config)
        live.resume_counts(int(metadata["keyframes"]), int(metadata["steps"]), int(metadata["skipped"]))
        live.measured = bool(metadata["measured"])
        if DENSITY in tensors:
            _put(live, tensors, metadata)
        with TemporaryDirectory() as folder:
            tensors[REPLAY].numpy().tofile(Path(folder) / REPLAY)
            live.memory.resume(Path(folder) / REPLAY)
        return live, str(metadata["owner"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError, LocalizationError) as error:
        raise DataError(f"radiance field {path}", "must be consistent and fit the memory bounds",
                        " ".join(str(error).split())[:300], "remove it; a new one is trained") from error


def _put(live: LiveField, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    low, edge = tuple(float(value) for value in metadata["low"]), float(metadata["edge"])
    corners = tuple(int(number) for number in metadata["corners"])
    if len(low) != 3 or len(corners) != 3 or min(corners) < 2 or not np.isfinite([*low, edge]).all() or edge <= 0:
        raise ValueError(f"grid of {corners} corners of {edge} m at {low}")
    grid = Grid(three(float, low), edge, three(int, corners))
    count = int(np.prod(grid.cells, dtype=object))
    if GRID_BYTES * count > live.config.field_mb * BYTES_PER_MB:
        raise ValueError(f"{count} cells in {live.config.field_mb:g} MB")
    used = np.unpackbits(tensors[USED].numpy(), count=count).astype(bool).reshape(grid.cells)
    cells = UsedCells(grid, torch.from_numpy(used))
    density, colour = tensors[DENSITY], tensors[COLOUR]
    field = live.begin_at(np.array(low), edge)
    if density.shape != (len(cells.corner_numbers), 1) or colour.shape != (len(density), field.colour.shape[1]):
        raise ValueError(f"{tuple(density.shape)} densities and {tuple(colour.shape)} colours for "
                         f"{len(cells.corner_numbers)} corners")
    field.adopt(cells, density, colour)
