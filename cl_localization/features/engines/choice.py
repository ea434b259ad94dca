"""Which engine runs the network: the fastest that is installed and works."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features.engines.engine import Engine

_LOGGER = logging.getLogger(__name__)

PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}
FASTEST_FIRST = {"x86_64": ("openvino", "onnx", "torch")}
FASTEST_ELSEWHERE = ("onnx", "openvino", "torch")
"""Measured on x86, see docs/benchmarks.md; ONNX Runtime is made for ARM too."""

CUDA_DEVICES = ("/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/nvmap", "/dev/dxg")
"""Without any of these there is no CUDA (desktop, Jetson, WSL), and no need to import PyTorch to ask."""

TRIAL_SIDE_PX = 64

_broken: set[str] = set()


def make_engine(config: EncoderConfig) -> Engine:
    """Return the engine that the configuration names; for `auto`, PyTorch on CUDA, else the fastest that works.

    Raises:
        EncoderError: the named engine, or any engine for `auto`, does not work.
    """
    if config.engine != "auto":
        engine = _named(config)
    elif config.device == "cuda" or (config.device == "auto" and _has_cuda()):
        engine = _torch_engine(config)
    else:
        engine = _fastest(config)
    _LOGGER.info("XFeat runs with %s", engine.name)
    return engine


def _named(config: EncoderConfig) -> Engine:
    if config.engine == "torch":
        return _torch_engine(config)
    if config.device == "cuda":
        raise EncoderError("encoder.engine", "must be torch or auto on device cuda", config.engine)
    if find_spec(PACKAGES[config.engine]) is None:
        raise EncoderError(f"encoder.engine {config.engine}", f"needs the package {PACKAGES[config.engine]}",
                           "not installed", "pip install 'cl_localization[engines]', or use auto")
    try:
        return tried(MAKERS[config.engine](config))
    except EncoderError:
        raise
    except Exception as error:  # the libraries raise errors of many kinds
        raise EncoderError(f"encoder.engine {config.engine}", "must work on this machine", _summary(error),
                           "use auto") from error


def _fastest(config: EncoderConfig) -> Engine:
    """Return the fastest engine that works, PyTorch at last; warn once of each that is installed and does not."""
    for name in FASTEST_FIRST.get(platform.machine(), FASTEST_ELSEWHERE):
        if name == "torch" or name in _broken or find_spec(PACKAGES[name]) is None:
            continue
        try:
            return tried(MAKERS[name](config))
        except Exception as error:  # whatever it is, another engine may work
            _broken.add(name)
            _LOGGER.warning("engine %s is installed but does not work (%s): trying the next", name, _summary(error))
    return _torch_engine(config)


def tried(engine: Engine) -> Engine:
    """Return the engine if it gives finite numbers for a small image.

    Raises:
        EncoderError: it does not.
    """
    pattern = np.arange(TRIAL_SIDE_PX**2, dtype=np.int64).reshape(TRIAL_SIDE_PX, TRIAL_SIDE_PX)
    if not all(np.isfinite(values).all() for values in engine.run((pattern * 37 % 251).astype(np.uint8))):
        raise EncoderError(f"engine {engine.name}", "must give finite numbers", "some are not")
    return engine


def _has_cuda() -> bool:
    if not any(Path(device).exists() for device in CUDA_DEVICES):
        return False
    import torch

    return torch.cuda.is_available()


def _torch_engine(config: EncoderConfig) -> Engine:
    from cl_localization.features.engines.torch_engine import TorchEngine

    return TorchEngine(config)


def _onnx_engine(config: EncoderConfig) -> Engine:
    from cl_localization.features.engines.onnx_engine import OnnxEngine

    return OnnxEngine(config)


def _openvino_engine(config: EncoderConfig) -> Engine:
    from cl_localization.features.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(config)


MAKERS: dict[str, Callable[[EncoderConfig], Engine]] = {"onnx": _onnx_engine, "openvino": _openvino_engine}


def _summary(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150] if str(error).strip() else ''}"
