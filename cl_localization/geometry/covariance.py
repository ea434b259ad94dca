"""Covariances of positions and rotations."""

from __future__ import annotations

import numpy as np


def largest_sigma(covariance: np.ndarray) -> float:
    """Return the standard deviation along the least certain direction of a covariance (3, 3), in its unit.

    Infinite where an entry is NaN or infinite, or no direction has a variance: what is not known is never certain.
    """
    largest = float(np.linalg.eigvalsh(covariance)[-1]) if np.isfinite(covariance).all() else float("inf")
    return float("inf") if largest < 0 else float(np.sqrt(largest))
