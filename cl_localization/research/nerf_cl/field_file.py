"""Fields and the state of their training on disk: safetensors with JSON metadata, whole or not at all, nothing run from
them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl_localization.config import flatten, with_values
from cl_localization.data.network_file import NetworkFile, with_prefix
from cl_localization.errors import DataError, LocalizationError
from cl_localization.nerf.anchor import Anchor
from cl_localization.nerf.cells import UsedCells
from cl_localization.nerf.learner import learned_values
from cl_localization.nerf.voxel_field import VoxelField
from cl_localization.research.nerf_cl.making import make_field
from cl_localization.research.nerf_cl.mlp_field import MlpField
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.task import Progress
from cl_localization.research.optimizer_tensors import load_optimizer_tensors, optimizer_tensors

FORMAT = "cl_localization_nerf"
FILE = NetworkFile(FORMAT, "checkpoint", DataError)
FIELD, OPTIMIZER, USED, ANCHOR = "field.", "optimizer.", "used", "anchor."


@dataclass(eq=False)
class Checkpoint:
    """A field with what is needed to use it and to go on.

    Attributes:
        config: options it was made with.
        background: grey value in [0, 1].
        progress: of its training.
        tasks: names of the tasks it learned, the last one perhaps not to the end.
        finished: whether the last one was.
        extra: how it was made: data, commit, chunks of a stream.
    """

    field: VoxelField | MlpField
    config: NerfConfig
    background: float
    progress: Progress = field(default_factory=Progress)
    tasks: tuple[str, ...] = ()
    finished: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; a crash leaves the old file or the new one, whole. Raises DataError when it cannot be
    written."""
    field = checkpoint.field
    tensors = {FIELD + name: value for name, value in field.state_dict().items()}
    metadata: dict[str, Any] = {"config": {name: value for name, value, _ in flatten(checkpoint.config)},
                                "background": checkpoint.background, "progress": vars(checkpoint.progress),
                                "tasks": list(checkpoint.tasks), "finished": checkpoint.finished,
                                "extra": checkpoint.extra}
    if isinstance(field, VoxelField):
        tensors[USED] = torch.from_numpy(np.packbits(field.cells.used.cpu().numpy().reshape(-1)))
        metadata |= {"box": [field.low.tolist(), field.high.tolist()], "level": field.level}
    if field.anchor is not None and not checkpoint.finished:
        tensors |= {f"{ANCHOR}{part}.{number}": value for part, values in vars(field.anchor).items() for number,
                    value in enumerate(values)}
    tensors |= {OPTIMIZER + name: value for name, value in optimizer_tensors(field.optimizer).items()}
    FILE.write(path, tensors, metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, on the CPU.

    Raises:
        DataError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
    """
    tensors, metadata = FILE.read(path)
    try:
        config = with_values(NerfConfig(), metadata["config"])
        background = float(metadata["background"])
        low, high = metadata.get("box", ([-1.0] * 3, [1.0] * 3))
        field = make_field(config, (np.array(low), np.array(high)), background)
        if isinstance(field, VoxelField):
            _put_cells(field, tensors, int(metadata["level"]))
        else:
            field.load_state_dict(with_prefix(tensors, FIELD))
        field.anchor = _anchor(with_prefix(tensors, ANCHOR), learned_values(field))
        load_optimizer_tensors(field.optimizer, with_prefix(tensors, OPTIMIZER))
        return Checkpoint(field, config, background, Progress(**metadata["progress"]), tuple(metadata["tasks"]),
                          bool(metadata["finished"]), dict(metadata["extra"]))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, LocalizationError) as error:
        raise DataError(f"checkpoint {path}", "must have parts that fit together", " ".join(str(error).split())[:300],
                        "train it again") from error


def checkpoint_config(path: Path) -> NerfConfig:
    """Return the options of a checkpoint. Raises DataError as `load_checkpoint`."""
    return load_checkpoint(path).config


def _put_cells(field: VoxelField, tensors: dict[str, Tensor], level: int) -> None:
    grid = field.grid_of(level)
    count = int(np.prod(grid.cells))
    used = np.unpackbits(tensors[USED].numpy(), count=count).astype(bool).reshape(grid.cells)
    cells = UsedCells(grid, torch.from_numpy(used))
    values = with_prefix(tensors, FIELD)
    if len(values["density"]) != len(cells.corner_numbers) or values["colour"].shape != (
        len(values["density"]),
        field.colour.shape[1],
    ):
        raise ValueError(f"{len(values['density'])} densities for {len(cells.corner_numbers)} corners")
    field.level = level
    field.put(cells, values["density"], values["colour"])


def _anchor(tensors: dict[str, Tensor], values: list[Tensor]) -> Anchor | None:
    """Return the anchor of a task that was not finished, if it has one."""
    if not tensors:
        return None
    held, importance = ([tensors[f"{part}.{number}"] for number in range(len(values))]
                        for part in ("values", "importance"))
    for name, parts in (("values", held), ("importance", importance)):
        if any(part.shape != each.shape for part, each in zip(parts, values)):
            raise ValueError(f"{name} of the anchor do not fit the field")
    return Anchor(held, importance)
