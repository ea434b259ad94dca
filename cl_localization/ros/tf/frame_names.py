"""Names of tf frames: written alike, and suspected where they do not fit together."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np

NEAR_NAMES = 3
LOOKS_UP = 0.85
"""Cosine of the angle between the camera's viewing direction and the robot's up axis beyond which it is suspected."""


def plain(frame: str) -> str:
    """Return a frame's name without the leading slash of old tf, which tf2 ignores in transforms and refuses in
    look-ups."""
    return frame.lstrip("/")


def near_names(frame: str, frames: Iterable[str]) -> str:
    """Return advice that names the frames of tf most like one that is not connected."""
    near = get_close_matches(frame, sorted(frames), NEAR_NAMES, 0.0)
    return f"similar frames on tf: {', '.join(near)}" if near else "tf has no frames"


def looks_up(frame: str, base_T_cam: np.ndarray) -> bool:
    """Return whether a camera's pose on the robot (4, 4) looks straight up, as that of a body with x ahead does; a
    frame that calls itself optical may."""
    return "optical" not in frame and bool(base_T_cam[2, 2] > LOOKS_UP)
