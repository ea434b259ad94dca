"""OpenVINO: the fastest on x86 processors, above all on those that calculate in bfloat16."""

from __future__ import annotations

import logging
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features.engines.engine import INPUT, DenseFeatures, threads
from cl_localization.features.exported import exported_network, int8_network

if TYPE_CHECKING:
    import openvino

_LOGGER = logging.getLogger(__name__)

DEVICE = "CPU"
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
TIMED_SHAPE, TIMED_TRIES = (480, 640), 4


class OpenVinoEngine:
    """Runs the exported network in OpenVINO: in bfloat16 where the processor has it, else in the faster of 8-bit
    integers and single precision."""

    def __init__(self, config: EncoderConfig, precision: str = "") -> None:
        """Load the exported network. Raises what the library raises, or EncoderError, where that fails.

        Args:
            precision: "fp32", "bf16" or "int8"; empty: what is faster on this processor.
        """
        import openvino

        self._core = openvino.Core()
        self._weights, self._lock = config.weights, threading.Lock()
        if not precision and "BF16" in self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES"):
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
        compiled = self._core.compile_model(self._network, DEVICE, {
            "INFERENCE_PRECISION_HINT": HINTS[self._precision], "INFERENCE_NUM_THREADS": count,
            "PERFORMANCE_HINT": "LATENCY"})
        return compiled.create_infer_request()

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        with self._lock:
            if self._threads != threads():
                self._request = self._made_for(threads())
            found = self._request.infer({INPUT: grey[None, None]})
            return DenseFeatures(*(found[number].copy() for number in range(3)))
