"""OpenVINO: the fastest on x86 processors, above all on those that calculate in bfloat16."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features.engines.engine import INPUT, DenseFeatures, threads
from cl_localization.features.exported import exported_network

if TYPE_CHECKING:
    import openvino

DEVICE = "CPU"


class OpenVinoEngine:
    """Runs the exported network in OpenVINO: in bfloat16 where the processor has it, else in single precision."""

    def __init__(self, config: EncoderConfig, precision: str = "") -> None:
        """Load the exported network. Raises what the library raises, or EncoderError, where that fails.

        Args:
            precision: "f32" or "bf16"; empty: what is faster on this processor.
        """
        import openvino

        self._core = openvino.Core()
        can_bf16 = "BF16" in self._core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
        self._precision = precision or ("bf16" if can_bf16 else "f32")
        self.name = f"openvino in {self._precision.replace('f32', 'fp32')}"
        self._network = self._core.read_model(exported_network(config.weights))
        self._lock = threading.Lock()
        self._request = self._made_for(threads())

    def _made_for(self, count: int) -> openvino.InferRequest:
        self._threads = count
        compiled = self._core.compile_model(self._network, DEVICE, {
            "INFERENCE_PRECISION_HINT": self._precision, "INFERENCE_NUM_THREADS": count, "PERFORMANCE_HINT": "LATENCY"})
        return compiled.create_infer_request()

    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        with self._lock:
            if self._threads != threads():
                self._request = self._made_for(threads())
            found = self._request.infer({INPUT: grey[None, None]})
            return DenseFeatures(*(found[number].copy() for number in range(3)))
