"""Networks and the state of their training on disk: safetensors with JSON metadata, whole or not at all, nothing run from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from cl_localization import __version__
from cl_localization.config import flatten, with_values
from cl_localization.data.atomic import written_file
from cl_localization.errors import EncoderError, LocalizationError
from cl_localization.scene_coordinates.ace_g.code_network import CodeRegressor
from cl_localization.scene_coordinates.ace_g.options import AttentionConfig
from cl_localization.scene_coordinates.ace_g.sparse_network import SparseRegressor

FORMAT, FORMAT_VERSION = "cl_localization_attention", 1
NETWORK, OPTIMIZER = "network.", "optimizer."
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
        raise EncoderError("option network.heads", f"must divide the width {config.network.width}", config.network.heads)
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
        tensors |= {f"{OPTIMIZER}{number}.{name}": value for number, state in optimizer.state_dict()["state"].items()
                    for name, value in state.items() if isinstance(value, Tensor)}
    header = {"format_version": FORMAT_VERSION, "software": f"cl_localization {__version__}", "dim": model.network.dim,
              "encoder": model.encoder, "config": {name: value for name, value, _ in flatten(model.config)}, "extra": model.extra}
    content = save({name: value.detach().cpu().contiguous() for name, value in tensors.items()},
                   metadata={"format": FORMAT, "json": json.dumps(header)})
    try:
        with written_file(path, force=True) as temporary:
            temporary.write_bytes(content)
    except (OSError, LocalizationError) as error:
        raise EncoderError(f"weights {path}", "must be writable", str(error), "nothing was changed; choose another place") from error


def load_attention(path: Path) -> AttentionModel:
    """Read a model.

    Raises:
        EncoderError: no such file, another kind of file, truncated, of another version, or with parts that do not fit together.
    """
    tensors, header = _read(path)
    try:
        config = with_values(AttentionConfig(), header["config"])
        network = make_network(int(header["dim"]), config)
        network.load_state_dict(_part(tensors, NETWORK))
        return AttentionModel(network.eval(), config, str(header["encoder"]), dict(header["extra"]))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError, LocalizationError) as error:
        raise EncoderError(f"weights {path}", "must have parts that fit together", " ".join(str(error).split())[:200], AGAIN) from error


def load_optimizer(optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Bring an optimizer to where the one was that was written with a model.

    Raises:
        EncoderError: see `load_attention`; or no optimizer was written with it.
    """
    tensors, state = _part(_read(path)[0], OPTIMIZER), optimizer.state_dict()
    if not tensors:
        raise EncoderError(f"weights {path}", "must hold the state of their training to be trained on", "none", "resume from a checkpoint")
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state["state"].setdefault(int(number), {})[key] = value
    optimizer.load_state_dict(state)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix):]: value for name, value in tensors.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if not path.is_file():
        raise EncoderError(f"weights {path}", "must be a file", "nothing there" if not path.exists() else "a folder",
                           "make it with `train attention`")
    try:
        with safe_open(path, framework="pt") as file:
            texts = file.metadata() or {}
            if texts.get("format") != FORMAT:
                raise EncoderError(f"weights {path}", f"must be of format {FORMAT}", texts.get("format"), "it is another kind of file")
            header = json.loads(texts["json"])
            if header["format_version"] != FORMAT_VERSION:
                raise EncoderError(f"weights {path}", f"must have format version {FORMAT_VERSION}", header["format_version"],
                                   "use the version of cl_localization that wrote it")
            return {name: file.get_tensor(name) for name in file.keys()}, header
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise EncoderError(f"weights {path}", "must be a whole safetensors file", str(error), AGAIN) from error
