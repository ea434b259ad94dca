"""The interface of engines: a grey image in, dense maps out, as arrays of NumPy; and on how many threads they run."""

from __future__ import annotations

import os
from typing import NamedTuple, Protocol

import numpy as np

_chosen = 0

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


def set_threads(count: int) -> None:
    """Have the engines of this process run on `count` threads from now on."""
    global _chosen  # noqa: PLW0603  (a setting of the process, as that of PyTorch)
    _chosen = count


def threads() -> int:
    """Return the number of threads: as set, else as OMP_NUM_THREADS says, else that of the cores that may be used."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return _chosen or (int(asked) if asked.isdecimal() else 0) or len(os.sched_getaffinity(0))
