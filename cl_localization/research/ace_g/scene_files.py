"""Prepared scenes on disk, so that a training that is resumed need not encode its images again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cl_localization.data.atomic import written_file
from cl_localization.errors import DataError, LocalizationError
from cl_localization.features import Encoder
from cl_localization.research.ace_g.options import AttentionConfig, AttentionNetworkConfig
from cl_localization.research.ace_g.scenes import open_scene
from cl_localization.research.ace_g.sparse_pool import SparsePool, prepared

SAID = "made of"


def sparse_pools(scenes: list[str], encoder: Encoder, config: AttentionConfig, folder: Path | None,
                 tell: Callable[[int, int], None] = lambda done, total: None) -> SparsePool:
    """Return what a list of scenes teaches, from the folder where it holds them already.

    Args:
        scenes: texts as `open_scene` takes them.
        folder: where prepared scenes are kept; None for nowhere.
        tell: is told how many scenes are done, and how many there are.

    Raises:
        DataError: no scene, one that cannot be opened, or has nothing to learn from; or a file that cannot be written.
    """
    if not scenes:
        raise DataError("training", "needs at least one scene for every process", 0,
                        "name more with --scenes or --rooms")
    pools = []
    for number, text in enumerate(scenes):
        seed = config.pretraining.seed + number
        network = config.network
        said = (f"{text} by {encoder.name}, {network.candidates} candidates, {network.neighbours} neighbours, "
                f"seed {seed}")
        made = partial(_sparse_arrays, text, encoder, network, seed)
        arrays = kept_arrays(folder, said, made)
        pool = SparsePool(**{field.name: arrays[field.name] for field in fields(SparsePool)})
        pools.append(pool)
        tell(number + 1, len(scenes))
    return SparsePool.joined(pools)


def _sparse_arrays(text: str, encoder: Encoder, config: AttentionNetworkConfig, seed: int) -> dict[str, np.ndarray]:
    return dict(vars(prepared(open_scene(text), encoder, config, seed)))


def kept_arrays(folder: Path | None, said: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the arrays of a prepared scene from its file, or make them, and write the file.

    Args:
        folder: where files are; None for nowhere.
        said: what they are made of; the file is not read if it says something else.

    Raises:
        DataError: the file cannot be written.
    """
    if folder is None:
        return make()
    path = folder / f"scene_{hashlib.sha256(said.encode()).hexdigest()[:16]}.safetensors"
    arrays = _read(path, said)
    if arrays is None:
        arrays = make()
        _write(arrays, path, said)
    return arrays


def _write(arrays: dict[str, np.ndarray], path: Path, said: str) -> None:
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        with written_file(path, force=True) as temporary:
            temporary.write_bytes(save(whole, {SAID: said}))
    except (OSError, LocalizationError) as error:
        raise DataError(f"prepared scene {path}", "must be writable", str(error), "choose another folder") from error


def _read(path: Path, said: str) -> dict[str, np.ndarray] | None:
    """Return the arrays of a file; None where there is none, or a damaged one, or one of something else."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="np") as file:
            return {name: file.get_tensor(name) for name in file.keys()} if (file.metadata() or {}).get(
                SAID) == said else None
    except (SafetensorError, OSError):
        return None
