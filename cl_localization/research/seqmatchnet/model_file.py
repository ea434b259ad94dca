"""Trained networks and the state of training on disk: safetensors with JSON metadata, whole or not at all, nothing run
from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cl_localization.config import flatten, with_values
from cl_localization.data.network_file import NetworkFile, with_prefix
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.research.optimizer_tensors import load_optimizer_tensors, optimizer_tensors
from cl_localization.research.seqmatchnet.network import PlaceNetwork
from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig, NetworkConfig, SeqMatchNetConfig
from cl_localization.research.seqmatchnet.trainer import Trainer

MODEL, CHECKPOINT = NetworkFile("cl_localization_places"), NetworkFile("cl_localization_places_training")
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
    MODEL.write(path, tensors, {"in_dims": model.network.in_dims, "image_shape": model.network.image_shape,
                                "network": asdict(model.network.config), "image": _leaves(model.image),
                                "stored": model.stored, "extra": model.extra or {}})


def load_model(path: Path) -> PlaceModel:
    """Read a model.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
    """
    tensors, metadata = MODEL.read(path)
    try:
        shape = metadata["image_shape"]
        network = PlaceNetwork(NetworkConfig(**{"keep_input": 0.0} | metadata["network"]), int(metadata["in_dims"]),
                               None if shape is None else tuple(shape))
        network.load_state_dict(with_prefix(tensors, NETWORK))
        vocabulary = tensors[VOCABULARY].numpy() if VOCABULARY in tensors else None
        image = with_values(ImageDescriptorConfig(), metadata["image"])
        return PlaceModel(network.eval(), image, bool(metadata["stored"]), vocabulary, metadata.get("extra"))
    except (KeyError, TypeError, ValueError, RuntimeError, LocalizationError) as error:
        raise EncoderError(f"model {path}", "must have parts that fit together", " ".join(str(error).split()),
                           "train it again") from error


def save_checkpoint(trainer: Trainer, config: SeqMatchNetConfig, generator: torch.Generator, path: Path) -> None:
    """Write all that is needed to go on training. Raises EncoderError when the file cannot be written."""
    tensors = {NETWORK + name: value for name, value in trainer.network.state_dict().items()}
    tensors |= {BEST + name: value for name, value in trainer.progress.best_state.items()}
    tensors |= {OPTIMIZER + name: value for name, value in optimizer_tensors(trainer.optimizer).items()}
    tensors[RANDOM] = generator.get_state()
    progress = trainer.progress
    CHECKPOINT.write(path, tensors, {"config": _leaves(config), "epoch": progress.epoch,
                                     "best_score": progress.best_score,
                                     "looks_without_gain": progress.looks_without_gain, "steps": progress.steps})


def read_checkpoint_config(path: Path) -> SeqMatchNetConfig:
    """Return the options that a checkpoint was made with. Raises EncoderError as `load_checkpoint`."""
    _, metadata = CHECKPOINT.read(path)
    try:
        return with_values(SeqMatchNetConfig(), {"network.keep_input": 0.0} | metadata["config"])
    except (KeyError, TypeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"checkpoint {path}", "must hold its options", str(error),
                           "it was made by another version") from error


def load_checkpoint(trainer: Trainer, generator: torch.Generator, path: Path) -> None:
    """Bring a trainer to where the one was that wrote a checkpoint.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or of another network.
    """
    tensors, metadata = CHECKPOINT.read(path)
    try:
        trainer.network.load_state_dict(with_prefix(tensors, NETWORK))
        load_optimizer_tensors(trainer.optimizer, with_prefix(tensors, OPTIMIZER))
        generator.set_state(tensors[RANDOM])
        progress = trainer.progress
        progress.epoch, progress.steps = int(metadata["epoch"]), int(metadata["steps"])
        progress.best_score = float(metadata["best_score"])
        progress.looks_without_gain, progress.best_state = (
            int(metadata["looks_without_gain"]),
            with_prefix(tensors, BEST),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise EncoderError(f"checkpoint {path}", "must be of the network that is trained",
                           " ".join(str(error).split())[:200],
                           "resume with the options it was made with") from error


def _leaves(config: ImageDescriptorConfig | SeqMatchNetConfig) -> dict[str, Any]:
    return {name: value for name, value, _ in flatten(config)}
