"""How quick the simulator is on this machine."""

from __future__ import annotations

import time

from cl_localization.data.frame import Sequence


def frame_rate_hz(sequence: Sequence, frames: int = 20) -> float:
    """Return how many frames a second a sequence yields, over `frames` frames spread along it, after a first one that is not counted."""
    sequence[0]
    start_s = time.perf_counter()
    for number in range(frames):
        sequence[number * len(sequence) // frames]
    return frames / (time.perf_counter() - start_s)
