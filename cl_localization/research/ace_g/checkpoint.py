"""Networks and the state of their training on disk: safetensors with JSON metadata, whole or not at all, nothing run
from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cl_localization.config import flatten, with_values
from cl_localization.data.network_file import with_prefix
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.localization.attention.regressor import FILE, NETWORK
from cl_localization.research.ace_g.code_network import CodeRegressor
from cl_localization.research.ace_g.options import AttentionConfig
from cl_localization.research.ace_g.sparse_network import SparseRegressor
from cl_localization.research.optimizer_tensors import load_optimizer_tensors, optimizer_tensors

OPTIMIZER = "optimizer."
AGAIN = "train it again"


@dataclass(frozen=True, eq=False)
class AttentionModel:
    """A pre-trained network.

    Attributes:
        network: in evaluation mode.
        config: the options it was made with.
        encoder: name of the encoder whose features it takes.
        extra: how it was made: scenes, steps, commit.
    """

    network: SparseRegressor | CodeRegressor
    config: AttentionConfig
    encoder: str
    extra: dict[str, Any] = field(default_factory=dict)


def make_network(dim: int, config: AttentionConfig) -> SparseRegressor | CodeRegressor:
    """Return a network with random weights for features of length `dim`.

    Raises:
        EncoderError: the heads do not divide the width.
    """
    if config.network.width % config.network.heads:
        raise EncoderError("option network.heads", f"must divide the width {config.network.width}",
                           config.network.heads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.pretraining.seed)
        return (SparseRegressor if config.network.form == "sparse" else CodeRegressor)(dim, config.network)


def save_attention(model: AttentionModel, path: Path, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Write a model, with the state of its optimizer where it is to be trained on.

    Raises:
        EncoderError: the file cannot be written.
    """
    tensors = {NETWORK + name: value for name, value in model.network.state_dict().items()}
    if optimizer is not None:
        tensors |= {OPTIMIZER + name: value for name, value in optimizer_tensors(optimizer).items()}
    FILE.write(path, tensors, {"dim": model.network.dim, "encoder": model.encoder, "extra": model.extra,
                               "config": {name: value for name, value, _ in flatten(model.config)}})


def load_attention(path: Path) -> AttentionModel:
    """Read a model.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit
            together.
    """
    tensors, header = FILE.read(path)
    try:
        config = with_values(AttentionConfig(), header["config"])
        network = make_network(int(header["dim"]), config)
        network.load_state_dict(with_prefix(tensors, NETWORK))
        return AttentionModel(network.eval(), config, str(header["encoder"]), dict(header["extra"]))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"weights {path}", "must have parts that fit together", " ".join(str(error).split())[:200],
                           AGAIN) from error


def load_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Bring an optimizer to where the one was that was written with a model.

    Raises:
        EncoderError: see `load_attention`; or no optimizer was written with it.
    """
    tensors = with_prefix(FILE.read(path)[0], OPTIMIZER)
    if not tensors:
        raise EncoderError(f"weights {path}", "must hold the state of their training to be trained on", "none",
                           "resume from a checkpoint")
    load_optimizer_tensors(optimizer, tensors)
