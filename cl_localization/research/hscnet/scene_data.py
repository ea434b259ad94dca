"""What `train` and `test` of scene coordinate networks share: scenes from data sets by name or from any sequences, and
devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cl_localization.config import Config, option
from cl_localization.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

    from cl_localization.data.sequence import IndexedSequence
    from cl_localization.research.hscnet.scene_groups import BenchmarkScene

DATASET_NAMES = ("7S", "12S", "i7S", "i12S", "i19S")
APART_M = 30.0
"""Between the middles of sequences that are learned as scenes of one network."""


@dataclass(frozen=True)
class SceneDataConfig(Config):
    """Which scenes are learned or tested."""

    dataset: str = option("7S", "Data set: one scene of 7-Scenes or 12-Scenes, all of either, or all of both.",
                          choices=DATASET_NAMES)
    scene: str = option("", "Scene: needed for 7S and 12S to train; only this one is tested.")
    data_path: str = option("data", "Folder that holds 7Scenes and 12Scenes as they are published.")


@dataclass(frozen=True, eq=False)
class NamedScene:
    """Frames of a scene in its own frame, and where its origin goes when it is learned with others (3,), in metres."""

    name: str
    sequence: IndexedSequence
    offset_m: np.ndarray


def open_scenes(data: SceneDataConfig, sequences: Sequence[str], split: str) -> list[NamedScene]:
    """Open the scenes of a data set, or sequences as one scene each.

    Args:
        sequences: specs, as `map` takes them; empty for the data set.
        split: "train" or "test", of the data set.

    Raises:
        DataError: what is wrong with them.
        ConfigError: a scene that the data set does not have.
    """
    import numpy as np

    from cl_localization.data import open_sequence
    from cl_localization.research.hscnet.scene_groups import benchmark_scenes, open_benchmark_scene

    if sequences:
        return [NamedScene(spec, open_sequence(spec), np.array([APART_M * number, 0.0, 0.0])) for number,
                spec in enumerate(sequences)]
    scenes = benchmark_scenes(data.dataset, data.scene)
    if split == "test" and data.scene:
        scenes = scenes[scene_number(data, scenes):][:1]
    return [NamedScene(each.name, open_benchmark_scene(each, Path(data.data_path), split),
                       np.array(each.offset_m, float))
            for each in scenes]


def scene_number(data: SceneDataConfig, scenes: Sequence[BenchmarkScene]) -> int:
    """Return where the scene is among those of its data set. Raises ConfigError for none of them."""
    names = [each.name for each in scenes]
    if data.scene not in names:
        raise ConfigError("option scene", f"must be one of {data.dataset}: {', '.join(names)}", repr(data.scene))
    return names.index(data.scene)


def chosen_device(name: str) -> str:
    """Return "cpu" or "cuda" for "auto", "cpu" or "cuda".

    Raises:
        ConfigError: cuda is asked for and not there.
    """
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("option device", "must be one that this machine has", "cuda", "use --device cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
