"""Which way up a camera's images are."""

from __future__ import annotations

import numpy as np

LEAST_UP = 0.3
"""Length of the up axis in the image, of 1, below which the camera looks so far up or down that no way is up."""


def upright_turns(base_T_cam: np.ndarray) -> int:
    """Return the quarter turns clockwise, 0 to 3, after which the images of a camera are upright.

    Args:
        base_T_cam: (4, 4) the camera, z ahead and y down in its images, in a frame whose z axis points up.
    """
    right, down = base_T_cam[2, 0], base_T_cam[2, 1]  # the up axis in the image
    if np.hypot(right, down) < LEAST_UP:
        return 0
    return round(np.degrees(np.arctan2(-right, -down)) / 90) % 4
