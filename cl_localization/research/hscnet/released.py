"""Checkpoints as HSCNet's and CL_HSCNet's authors release them, read without running anything from them.

A released `model.pkl` holds the network alone; the centres of the regions lie with the data package, `centers.npy` in
each scene's folder, and for 7-Scenes `translation.txt`, the point that poses are relative to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cl_localization.data.files import read_rows
from cl_localization.errors import DataError, EncoderError
from cl_localization.research.hscnet.model_file import SceneFrames
from cl_localization.research.hscnet.network import SUB_REGIONS
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.regions import LEAVES, RegionTree
from cl_localization.research.hscnet.scene_groups import FOLDERS, BenchmarkScene, benchmark_scenes
from cl_localization.research.hscnet.training import DenseTrainer

SUFFIXES = (".pkl", ".pth", ".pt")
STATE = "model_state"
TRUNK = ("conv1a", "conv1b", "conv2a", "conv3a", "conv3b", "conv4a", "conv4b", "conv4c")
NAMES = {f"{name}.0": f"trunk.{2 * number}" for number, name in enumerate(TRUNK)}
"""By the authors' names of layers, ours."""
SCRNET_NAMES = NAMES | {"conv5a.0": "head.0", "conv5b.0": "head.2", "convout.0": "head.4"}
HSCNET_NAMES = NAMES | {
    "convc1.0": "stem.0", "dsconv1.0": "down.0.0", "dsconv1.2": "down.1.0", "dsconv2.0": "down_again.0.0",
    "dsconv2.2": "down_again.1.0", "upconv2.0": "level1_up.0", "convc4.0": "level1_mix.0.0",
    "upconv3.0": "level1_mix.1.0", "convc5.0": "level1_head.0.0", "convc6.0": "level1_head.1.0",
    "convoutc1.0": "level1_head.2", "upconv1.0": "level2_up.0", "convc2.0": "level2.layers.0.0",
    "convc3.0": "level2.layers.1.0", "convoutc2.0": "level2_last", "conv5a.0": "coordinates.layers.0.0",
    "conv5b.0": "coordinates.layers.1.0", "convout.0": "coordinates_last",
    **{f"gconv{level}_{number}.0": f"{ours}.generator.{number - 1}.0"
       for level, ours in ((1, "level2"), (2, "coordinates")) for number in range(1, 6)},
    **{f"gconv{level}_{kind}_{number}.0": f"{ours}.{kinds}.{number - 1}.0"
       for level, ours in ((1, "level2"), (2, "coordinates"))
       for kind, kinds in (("gamma", "gains"), ("beta", "shifts")) for number in (1, 2)}}


def is_released(path: Path) -> bool:
    """Return whether a file is named as the authors' are."""
    return path.suffix in SUFFIXES


def read_released(path: Path, dataset: str, scene: str, data_path: Path,
                  device: str = "cpu") -> tuple[DenseTrainer, SceneFrames]:
    """Return a released network as a trainer that localizes, with its scenes.

    The centres of whole regions are not released; the mean of each one's leaves stands for them, and only training
    asks for them.

    Args:
        dataset, scene: what it was trained on; see `benchmark_scenes`.
        data_path: folder of the data sets, with the authors' data package.

    Raises:
        EncoderError: no such checkpoint, or one of another network or data set.
        DataError: centres that are missing or damaged.
    """
    state, scenes = _state(path), benchmark_scenes(dataset, scene)
    is_hscnet = any(name.startswith("convc1.") for name in state)
    trainer = DenseTrainer(len(scenes), DenseTrainingConfig(model="hscnet" if is_hscnet else "scrnet"), device)
    try:
        trainer.network.load_state_dict(renamed(state, HSCNET_NAMES if is_hscnet else SCRNET_NAMES))
    except (KeyError, RuntimeError) as error:
        raise EncoderError(f"checkpoint {path}", f"must be of {'HSCNet' if is_hscnet else 'SCRNet'} for {dataset}",
                           " ".join(str(error).split())[:200], "give the --dataset it was trained on") from error
    trainer.network.eval()
    if is_hscnet:
        trainer.trees.update({number: _regions(each, data_path) for number, each in enumerate(scenes)})
    shifts_m = np.array([np.array(each.offset_m) - _middle_m(each, data_path) for each in scenes])
    return trainer, SceneFrames(tuple(each.name for each in scenes), shifts_m)


def renamed(state: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Return tensors under our names; raises KeyError for one that the authors' network does not have."""
    return {f"{names[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}": value for name, value in state.items()}


def _state(path: Path) -> dict[str, Tensor]:
    name = f"checkpoint {path}"
    if not path.is_file():
        raise EncoderError(name, "must be a file", "nothing there" if not path.exists() else "a folder",
                           "check the path")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)[STATE]
        if all(isinstance(value, Tensor) for value in state.values()):
            return dict(state)
    except Exception as error:  # torch raises errors of many kinds for files that are damaged or hold other things
        raise EncoderError(name, f"must hold {STATE}, tensors by name, and nothing else to run",
                           " ".join(str(error).split())[:200], "download it again") from error
    raise EncoderError(name, f"must hold {STATE}, tensors by name", "other values", "download it again")


def _regions(scene: BenchmarkScene, data_path: Path) -> RegionTree:
    """Return a scene's regions in the frame of all."""
    path = _package_file(scene, data_path, "centers.npy")
    thing, rule = f"centres {path}", f"must be a .npy file of {LEAVES} points"
    try:
        centres_m = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(thing, rule, error, "copy it again") from None
    if not isinstance(centres_m, np.ndarray) or centres_m.shape != (LEAVES, 3) or centres_m.dtype.kind != "f" \
            or not np.isfinite(centres_m).all():
        raise DataError(thing, rule, getattr(centres_m, "shape", "an archive"), "copy it again")
    leaves_m = centres_m + np.array(scene.offset_m)
    return RegionTree(leaves_m.reshape(-1, SUB_REGIONS, 3).mean(1), leaves_m)


def _middle_m(scene: BenchmarkScene, data_path: Path) -> np.ndarray:
    """Return the point (3,) that the authors' poses of a scene are relative to."""
    if scene.kind != "7S":
        return np.zeros(3)
    path = _package_file(scene, data_path, "translation.txt")
    try:
        values = np.array([float(word) for row in read_rows(path) for word in row])
    except ValueError:
        values = np.zeros(0)
    if values.shape != (3,) or not np.isfinite(values).all():
        raise DataError(f"translation {path}", "must be three numbers", f"{len(values)} of them", "copy it again")
    return values


def _package_file(scene: BenchmarkScene, data_path: Path, name: str) -> Path:
    """Return a file of the authors' data package; the scene's images need not be there."""
    places = [data_path / FOLDERS[scene.kind] / scene.name / name, data_path / scene.name / name]
    for path in places:
        if path.is_file():
            return path
    raise DataError(f"scene {scene.name}", f"must have {places[0]}", "nothing there",
                    "copy the authors' data package into the data set")
