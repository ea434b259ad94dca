"""Trained networks and the state of training on disk: safetensors with JSON metadata, whole or not at all, nothing run from them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cl_localization import __version__
from cl_localization.config import flatten, with_values
from cl_localization.data.atomic import written_file
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.place_recognition.network import PlaceNetwork
from cl_localization.place_recognition.options import ImageDescriptorConfig, NetworkConfig, SeqMatchNetConfig
from cl_localization.place_recognition.trainer import Trainer

MODEL_FORMAT, CHECKPOINT_FORMAT, FORMAT_VERSION = "cl_localization_places", "cl_localization_places_training", 1
NETWORK, BEST, OPTIMIZER, VOCABULARY, RANDOM = "network.", "best.", "optimizer.", "vocabulary", "random"


@dataclass(frozen=True, eq=False)
class PlaceModel:
    """A network and what goes into it.

    Attributes:
        network: in evaluation mode.
        image: how images are described; without meaning where `stored`.
        stored: whether the network takes descriptors that were computed elsewhere.
        vocabulary: (K, D) of VLAD, or None.
        extra: how it was made: options, data, commit.
    """

    network: PlaceNetwork
    image: ImageDescriptorConfig
    stored: bool = False
    vocabulary: np.ndarray | None = None
    extra: dict[str, Any] | None = None


def save_model(model: PlaceModel, path: Path) -> None:
    """Write a model. Raises EncoderError when the file cannot be written."""
    tensors = {NETWORK + name: value for name, value in model.network.state_dict().items()}
    if model.vocabulary is not None:
        tensors[VOCABULARY] = torch.from_numpy(model.vocabulary)
    _write(path, MODEL_FORMAT, tensors, {"in_dims": model.network.in_dims, "image_shape": model.network.image_shape,
                                         "network": asdict(model.network.config), "image": _leaves(model.image),
                                         "stored": model.stored, "extra": model.extra or {}})


def load_model(path: Path) -> PlaceModel:
    """Read a model.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit together.
    """
    tensors, metadata = _read(path, MODEL_FORMAT)
    try:
        shape = metadata["image_shape"]
        network = PlaceNetwork(NetworkConfig(**metadata["network"]), int(metadata["in_dims"]), None if shape is None else tuple(shape))
        network.load_state_dict(_part(tensors, NETWORK))
        vocabulary = tensors[VOCABULARY].numpy() if VOCABULARY in tensors else None
        image = with_values(ImageDescriptorConfig(), metadata["image"])
        return PlaceModel(network.eval(), image, bool(metadata["stored"]), vocabulary, metadata.get("extra"))
    except (KeyError, TypeError, ValueError, RuntimeError, LocalizationError) as error:
        raise EncoderError(f"model {path}", "must have parts that fit together", " ".join(str(error).split()), "train it again") from error


def save_checkpoint(trainer: Trainer, config: SeqMatchNetConfig, generator: torch.Generator, path: Path) -> None:
    """Write all that is needed to go on training. Raises EncoderError when the file cannot be written."""
    tensors = {NETWORK + name: value for name, value in trainer.network.state_dict().items()}
    tensors |= {BEST + name: value for name, value in trainer.progress.best_state.items()}
    tensors |= {f"{OPTIMIZER}{number}.{name}": value for number, state in trainer.optimizer.state_dict()["state"].items()
                for name, value in state.items() if isinstance(value, Tensor)}
    tensors[RANDOM] = generator.get_state()
    progress = trainer.progress
    _write(path, CHECKPOINT_FORMAT, tensors, {"config": _leaves(config), "epoch": progress.epoch, "best_score": progress.best_score,
                                              "looks_without_gain": progress.looks_without_gain,
                                              "steps": progress.steps})


def read_checkpoint_config(path: Path) -> SeqMatchNetConfig:
    """Return the options that a checkpoint was made with. Raises EncoderError as `load_checkpoint`."""
    _, metadata = _read(path, CHECKPOINT_FORMAT)
    try:
        return with_values(SeqMatchNetConfig(), metadata["config"])
    except (KeyError, TypeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"checkpoint {path}", "must hold its options", str(error), "it was made by another version") from error


def load_checkpoint(trainer: Trainer, generator: torch.Generator, path: Path) -> None:
    """Bring a trainer to where the one was that wrote a checkpoint.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or of another network.
    """
    tensors, metadata = _read(path, CHECKPOINT_FORMAT)
    try:
        trainer.network.load_state_dict(_part(tensors, NETWORK))
        optimizer = trainer.optimizer.state_dict()
        for name, value in _part(tensors, OPTIMIZER).items():
            number, key = name.split(".", 1)
            optimizer["state"].setdefault(int(number), {})[key] = value
        trainer.optimizer.load_state_dict(optimizer)
        generator.set_state(tensors[RANDOM])
        progress = trainer.progress
        progress.epoch, progress.steps = int(metadata["epoch"]), int(metadata["steps"])
        progress.best_score = float(metadata["best_score"])
        progress.looks_without_gain, progress.best_state = int(metadata["looks_without_gain"]), _part(tensors, BEST)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EncoderError(f"checkpoint {path}", "must be of the network that is trained", " ".join(str(error).split())[:200],
                           "resume with the options it was made with") from error


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}


def _leaves(config: ImageDescriptorConfig | SeqMatchNetConfig) -> dict[str, Any]:
    return {name: value for name, value, _ in flatten(config)}


def _write(path: Path, format: str, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> None:
    header = json.dumps({"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}", **metadata})
    content = save({name: value.contiguous() for name, value in tensors.items()}, metadata={"format": format, "json": header})
    try:
        with written_file(path, force=True) as temporary:
            temporary.write_bytes(content)
    except (OSError, LocalizationError) as error:
        raise EncoderError(f"model {path}", "must be writable", str(error), "nothing was changed; choose another place") from error


def _read(path: Path, format: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise EncoderError(f"model {path}", "must be a file", "nothing there" if not path.exists() else "a folder", "train one first")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != format:
                raise EncoderError(f"model {path}", f"must be of format {format}", header.get("format"), "it is another kind of file")
            metadata = json.loads(header["json"])
            if metadata["format_version"] != FORMAT_VERSION:
                raise EncoderError(f"model {path}", f"must have format version {FORMAT_VERSION}", metadata["format_version"],
                                   "use the version of cl_localization that wrote it")
            return {name: file.get_tensor(name) for name in file.keys()}, metadata
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise EncoderError(f"model {path}", "must be a whole safetensors file", str(error),
                           "it is truncated, damaged or no model") from error
