"""Encoders of the benchmarks that stand before the package's own."""

from __future__ import annotations

import time

import numpy as np

from cl_localization.features import Encoder, Features


class RememberingEncoder:
    """An encoder that encodes an image it has seen before no more."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.dim = encoder.name, encoder.dim
        self._encoder = encoder
        self._known: dict[int, Features] = {}

    def encode(self, image: np.ndarray) -> Features:
        """See `Encoder`."""
        key = hash(image.tobytes())
        if key not in self._known:
            self._known[key] = self._encoder.encode(image)
        return self._known[key]


class TimedEncoder:
    """An encoder that counts the processor time it takes."""

    def __init__(self, encoder: Encoder) -> None:
        self.name, self.dim, self.seconds = encoder.name, encoder.dim, 0.0
        self._encoder = encoder

    def encode(self, image: np.ndarray) -> Features:
        """Return the features of an image, see `Encoder`."""
        start_s = time.process_time()
        features = self._encoder.encode(image)
        self.seconds += time.process_time() - start_s
        return features
