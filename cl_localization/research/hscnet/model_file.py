"""Dense networks, the regions of their scenes and the state of training on disk: safetensors with JSON metadata, whole
or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cl_localization.config import flatten, with_values
from cl_localization.data.network_file import NetworkFile, with_prefix
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.research.hscnet.options import DenseTrainingConfig
from cl_localization.research.hscnet.regions import LEAVES, RegionTree
from cl_localization.research.hscnet.training import DenseTrainer
from cl_localization.research.optimizer_tensors import load_optimizer_tensors, optimizer_tensors

MODEL, REGIONS_OF_SCENES = NetworkFile("cl_localization_dense"), NetworkFile("cl_localization_regions", "regions")
NETWORK, OPTIMIZER, REGIONS, LEAF_CENTRES, SHIFTS = "network.", "optimizer.", "regions.", "leaves.", "shifts_m"


@dataclass(frozen=True, eq=False)
class SceneFrames:
    """The scenes that a network is for, by number.

    Attributes:
        names: of the scenes.
        shifts_m: (S, 3) what is added to positions in a scene's own frame to bring them into that of all.
    """

    names: tuple[str, ...]
    shifts_m: np.ndarray

    def number(self, name: str) -> int:
        """Return a scene's number. Raises EncoderError when the network is not for it."""
        if name not in self.names:
            raise EncoderError(f"scene {name}", "must be one that the network is for",
                               f"it knows {', '.join(self.names)}",
                               "give another --scene or --checkpoint")
        return self.names.index(name)


@dataclass(frozen=True)
class TrainingState:
    """How far a training is: scenes that are done, and steps of the next one."""

    tasks: int = 0
    steps: int = 0


def save_model(trainer: DenseTrainer, scenes: SceneFrames, path: Path, extra: dict[str, Any] | None = None,
               state: TrainingState | None = None) -> None:
    """Write a network with its scenes; with a state also what is needed to go on training, but for the replay buffer.

    Raises:
        EncoderError: the file cannot be written.
    """
    tensors = {NETWORK + name: value for name,
               value in trainer.network.state_dict().items()} | _tree_tensors(trainer.trees)
    tensors[SHIFTS] = torch.from_numpy(np.array(scenes.shifts_m, np.float64))
    if state is not None:
        tensors |= {OPTIMIZER + name: value for name, value in optimizer_tensors(trainer.optimizer).items()}
    metadata = {"config": {name: value for name, value, _ in flatten(trainer.config)}, "scenes": list(scenes.names),
                "extra": extra or {},
                "state": None if state is None else [state.tasks, state.steps]}
    MODEL.write(path, tensors, metadata)


def load_model(path: Path, device: str = "cpu") -> tuple[DenseTrainer, SceneFrames, TrainingState | None,
                                                         dict[str, Any]]:
    """Read a network: a trainer that localizes, its scenes, how far its training is if that can go on, and how it was
    made.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
    """
    tensors, metadata = MODEL.read(path)
    try:
        config = with_values(DenseTrainingConfig(), metadata["config"])
        scenes = SceneFrames(tuple(metadata["scenes"]), tensors[SHIFTS].numpy())
        trainer = DenseTrainer(len(scenes.names), config, device)
        trainer.network.load_state_dict(with_prefix(tensors, NETWORK))
        trainer.trees.update(_trees(tensors))
        state = None if metadata["state"] is None else TrainingState(*map(int, metadata["state"]))
        if scenes.shifts_m.shape != (len(scenes.names), 3) or not set(trainer.trees) <= set(range(len(scenes.names))):
            raise ValueError(f"{len(scenes.names)} scenes with {len(scenes.shifts_m)} places and regions of "
                             f"{sorted(trainer.trees)}")
        if state is not None:
            load_optimizer_tensors(trainer.optimizer, with_prefix(tensors, OPTIMIZER))
        trainer.network.eval()
        return trainer, scenes, state, dict(metadata.get("extra") or {})
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, LocalizationError) as error:
        raise EncoderError(f"model {path}", "must have parts that fit together", " ".join(str(error).split())[:300],
                           "train it again") from error


def save_regions(path: Path, names: Sequence[str], trees: Mapping[int, RegionTree], made_of: Mapping[str, str]) -> None:
    """Write the regions of scenes as far as they are known.

    Args:
        names: of all scenes, in order.
        trees: by scene number.
        made_of: by scene name, what identifies the frames that its regions were made from.

    Raises:
        EncoderError: the file cannot be written.
    """
    REGIONS_OF_SCENES.write(path, _tree_tensors(trees), {"scenes": list(names), "made_of": dict(made_of)})


def load_regions(path: Path, names: Sequence[str], made_of: Mapping[str, str]) -> dict[int, RegionTree]:
    """Read the regions of scenes by number.

    Args:
        names, made_of: of the scenes at hand; see `save_regions`.

    Raises:
        EncoderError: not such a file, or of other scenes, another number of scenes, or other frames.
    """
    tensors, metadata = REGIONS_OF_SCENES.read(path)
    found = list(metadata.get("scenes", []))
    if found != list(names):
        what = f"{len(found)} scenes" if len(found) != len(names) else ", ".join(map(str, found))
        raise EncoderError(f"regions {path}", f"must be of these {len(names)} scenes: {', '.join(names)}", what,
                           "name another file with --labels, or remove this one")
    try:
        trees = _trees(tensors)
        changed = [names[number] for number in trees
                   if metadata["made_of"][names[number]] != made_of.get(names[number])]
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise EncoderError(f"regions {path}", "must have parts that fit together", repr(error),
                           "remove it, it is made again") from error
    if changed:
        raise EncoderError(f"regions {path}", "must be made from the frames at hand",
                           f"other frames of {', '.join(changed)}",
                           "name another file with --labels, or remove this one")
    return trees


def _tree_tensors(trees: Mapping[int, RegionTree]) -> dict[str, Tensor]:
    return {f"{prefix}{number}": torch.from_numpy(np.array(centres_m, np.float32)) for number, tree in trees.items()
            for prefix, centres_m in ((REGIONS, tree.region_centres_m), (LEAF_CENTRES, tree.leaf_centres_m))}


def _trees(tensors: Mapping[str, Tensor]) -> dict[int, RegionTree]:
    """Return region trees by scene; raises ValueError or KeyError for incomplete ones."""
    trees = {}
    for number, centres_m in with_prefix(tensors, REGIONS).items():
        tree = RegionTree(centres_m.numpy(), tensors[LEAF_CENTRES + number].numpy())
        if tree.leaf_centres_m.shape != (LEAVES, 3) or tree.region_centres_m.shape != (LEAVES**0.5, 3):
            raise ValueError(f"regions {tree.region_centres_m.shape} with leaves {tree.leaf_centres_m.shape}")
        trees[int(number)] = tree
    return trees
