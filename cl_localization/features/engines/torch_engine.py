"""PyTorch: always there, on CUDA too."""

from __future__ import annotations

import numpy as np
import torch

from cl_localization.config import EncoderConfig
from cl_localization.features.engines.engine import DenseFeatures
from cl_localization.features.weights import torch_device
from cl_localization.features.xfeat_network import DenseXFeat


class TorchEngine:
    """Runs the network in PyTorch, on the device of the configuration."""

    def __init__(self, config: EncoderConfig) -> None:
        """Load the weights.

        Raises:
            EncoderError: package, weights or device are missing.
        """
        self._device = torch_device(config.device)
        self.name = f"torch on {self._device.type}"
        network = DenseXFeat.from_weights(config.weights).to(self._device)
        self._network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def run(self, grey: np.ndarray) -> DenseFeatures:
        """Return the dense features of an image; see `Engine`."""
        batch = torch.from_numpy(grey).to(self._device)[None, None]
        return DenseFeatures(*(values.cpu().numpy() for values in self._network(batch)))
