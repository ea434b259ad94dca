"""ONNX Runtime: small, without PyTorch, and for ARM too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cl_localization.config import EncoderConfig
from cl_localization.features.engines.engine import INPUT, DenseFeatures, threads
from cl_localization.features.exported import exported_network

if TYPE_CHECKING:
    import onnxruntime


class OnnxEngine:
    """Runs the exported network in ONNX Runtime, in single precision."""

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
        return DenseFeatures(*self._session.run(None, {INPUT: grey[None, None]}))
