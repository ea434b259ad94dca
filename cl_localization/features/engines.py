"""What runs XFeat's network: PyTorch, ONNX Runtime or OpenVINO, the fastest that is installed and works."""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features.exported import exported_network, int8_network
from cl_localization.features.signal_stack import let_handlers_use_the_thread_stack

if TYPE_CHECKING:
    import onnxruntime
    import openvino

_LOGGER = logging.getLogger(__name__)

PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}
FASTEST_FIRST = {"x86_64": ("openvino", "onnx", "torch")}
FASTEST_ELSEWHERE = ("onnx", "openvino", "torch")
"""Measured on x86, see docs/benchmarks.md; ONNX Runtime is made for ARM too."""

CUDA_DEVICES = ("/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/nvmap", "/dev/dxg")
"""Without any of these there is no CUDA (desktop, Jetson, WSL), and no need to import PyTorch to ask."""

TRIAL_SIDE_PX = 64

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
TIMED_SHAPE, TIMED_TRIES = (480, 640), 4
"""By which OpenVINO's precision is chosen."""

_chosen = 0
_broken: set[str] = set()


class DenseFeatures(NamedTuple):
    """What the network says of every part of an (H, W) image.

    Attributes:
        maps: (H/8, W/8, D) float32 descriptors of unit length.
        heatmap: (H, W) float32 probability that a pixel is a keypoint.
        reliability: (H/8, W/8) float32, how well a descriptor will match.
    """

    maps: np.ndarray
    heatmap: np.ndarray
    reliability: np.ndarray


class Engine(Protocol):
    """Runs the network; may be called from several threads.

    Attributes:
        name: the engine, its precision or device, for logs.
    """

    name: str

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an (H, W) uint8 image, H and W multiples of 32; the arrays are the caller's."""
        ...


def make_engine(config: EncoderConfig) -> Engine:
    """Return the engine that the configuration names; for `auto`, PyTorch on CUDA, else the fastest that works.

    Raises:
        EncoderError: the named engine, or any engine for `auto`, does not work.
    """
    if config.engine != "auto":
        engine = _named(config)
    elif config.device == "cuda" or (config.device == "auto" and _has_cuda()):
        engine = MAKERS["torch"](config)
    else:
        engine = _fastest(config)
    _LOGGER.info("XFeat runs with %s", engine.name)
    return engine


def set_threads(count: int) -> None:
    """Have the engines of this process run on `count` threads from now on."""
    global _chosen  # noqa: PLW0603  (a setting of the process, as that of PyTorch)
    _chosen = count


def threads() -> int:
    """Return the number of threads: as set, else as OMP_NUM_THREADS says, else that of the cores that may be used."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return _chosen or (int(asked) if asked.isdecimal() else 0) or len(os.sched_getaffinity(0))


def _has_cuda() -> bool:
    if not any(Path(device).exists() for device in CUDA_DEVICES):
        return False
    import torch

    return torch.cuda.is_available()


def _named(config: EncoderConfig) -> Engine:
    if config.engine == "torch":
        return MAKERS["torch"](config)
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
            if not config.weights:  # else it may be those that do not work
                _broken.add(name)
            _LOGGER.warning("engine %s is installed but does not work (%s): trying the next", name, _summary(error))
    return MAKERS["torch"](config)


def tried(engine: Engine) -> Engine:
    """Return the engine if it gives finite numbers for a small image.

    Raises:
        EncoderError: it does not.
    """
    pattern = np.arange(TRIAL_SIDE_PX**2, dtype=np.int64).reshape(TRIAL_SIDE_PX, TRIAL_SIDE_PX)
    if not all(np.isfinite(values).all() for values in engine.run((pattern * 37 % 251).astype(np.uint8))):
        raise EncoderError(f"engine {engine.name}", "must give finite numbers", "some are not")
    return engine


def _summary(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150] if str(error).strip() else ''}"


class TorchEngine:
    """Runs the network in PyTorch, on the device of the configuration: always there, on CUDA too."""

    def __init__(self, config: EncoderConfig) -> None:
        """Load the weights.

        Raises:
            EncoderError: package, weights or device are missing.
        """
        import torch

        from cl_localization.features.weights import torch_device
        from cl_localization.features.xfeat_network import DenseXFeat

        self._device = torch_device(config.device)
        self.name = f"torch on {self._device.type}"
        network = DenseXFeat.from_weights(config.weights).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        import torch

        with torch.inference_mode():
            batch = torch.from_numpy(grey).to(self._device)[None, None]
            return DenseFeatures(*(values.cpu().numpy() for values in self._network(batch)))


class OnnxEngine:
    """Runs the exported network in ONNX Runtime, in single precision: small, without PyTorch, and for ARM too."""

    name = "onnx in fp32"

    def __init__(self, config: EncoderConfig) -> None:
        """Load the exported network. Raises what the library raises, or EncoderError, where that fails."""
        import onnxruntime  # noqa: F401  (fails here where it is not installed)

        self._path = str(exported_network(config.weights))
        self._session = self._made_for(threads())

    def _made_for(self, count: int) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads = count
        # threads that wait in a loop take the processor from all else that localizing does
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(self._path, options, providers=["CPUExecutionProvider"])

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        if self._threads != threads():
            self._session = self._made_for(threads())
        return DenseFeatures(*self._session.run(None, {self._session.get_inputs()[0].name: grey[None, None]}))


class OpenVinoEngine:
    """Runs the exported network in OpenVINO, fastest on x86 processors: in bfloat16 where the processor has it, else in
    the faster of 8-bit integers and single precision."""

    def __init__(self, config: EncoderConfig, precision: str = "") -> None:
        """Load the exported network. Raises what the library raises, or EncoderError, where that fails.

        Args:
            precision: "fp32", "bf16" or "int8"; empty: what is faster on this processor.
        """
        import openvino

        self._core = openvino.Core()
        self._weights, self._lock = config.weights, threading.Lock()
        if not precision and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            precision = "bf16"
        self._load(precision or "fp32")
        if not precision and find_spec("onnxruntime"):
            self._take_int8_if_faster()

    def _load(self, precision: str) -> None:
        """Load the network in a precision, for the present number of threads."""
        self._precision, self.name = precision, f"openvino in {precision}"
        path = int8_network(self._weights) if precision == "int8" else exported_network(self._weights)
        self._network = self._core.read_model(path)
        self._request = self._made_for(threads())

    def _take_int8_if_faster(self) -> None:
        """Load the network in 8-bit integers if it is faster in these; warn and go on as before if they do not work."""
        first, seconds = self._precision, self._seconds()
        try:
            self._load("int8")
            if self._seconds() <= seconds:
                return
        except Exception as error:  # the libraries raise errors of many kinds
            _LOGGER.warning("the network cannot be run in 8-bit integers (%s: %s): it runs in %s", type(error).__name__,
                            error, first)
        self._load(first)

    def _seconds(self) -> float:
        """Return how long the network takes for an image, the least of some tries."""
        grey, taken_s = np.zeros(TIMED_SHAPE, np.uint8), []
        for _ in range(TIMED_TRIES):
            started_s = time.perf_counter()
            self.run(grey)
            taken_s.append(time.perf_counter() - started_s)
        return min(taken_s)

    def _made_for(self, count: int) -> openvino.InferRequest:
        self._threads = count
        compiled = self._core.compile_model(self._network, "CPU", {
            "INFERENCE_PRECISION_HINT": HINTS[self._precision], "INFERENCE_NUM_THREADS": count,
            "PERFORMANCE_HINT": "LATENCY"})
        let_handlers_use_the_thread_stack()
        return compiled.create_infer_request()

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        with self._lock:
            if self._threads != threads():
                self._request = self._made_for(threads())
            found = self._request.infer([grey[None, None]])
            return DenseFeatures(*(found[number] for number in range(3)))


MAKERS: dict[str, Callable[[EncoderConfig], Engine]] = {"openvino": OpenVinoEngine, "onnx": OnnxEngine,
                                                        "torch": TorchEngine}
