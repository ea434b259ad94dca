"""The interface of engines: a grey image in, dense maps out, as arrays of NumPy."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

STRIDE = 8
"""Width of a cell of the dense maps [px]."""

INPUT = "grey"
"""Name of the image in the exported network."""


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
