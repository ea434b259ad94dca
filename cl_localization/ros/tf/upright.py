"""Which way up the images of a camera are, by tf: the robot's base stands upright."""

from __future__ import annotations

from cl_localization.geometry.upright import upright_turns
from cl_localization.ros.tf.lookup import TfLookup


class Upright:
    """Tells the quarter turns that bring images upright, from where tf has the camera on the robot.

    A camera whose mounting is not on tf yet, or no more, is as it was last; at first upright.
    """

    def __init__(self, lookup: TfLookup, base_frame: str) -> None:
        self._lookup, self._base_frame = lookup, base_frame
        self._turns: dict[str, int] = {}

    def turns(self, camera_frame: str) -> int:
        """Return the quarter turns clockwise after which the images of a camera are upright."""
        base_T_cam = self._lookup.newest(self._base_frame, camera_frame)
        if base_T_cam is not None:
            self._turns[camera_frame] = upright_turns(base_T_cam)
        return self._turns.get(camera_frame, 0)
