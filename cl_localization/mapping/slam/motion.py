"""Where the camera probably is now: by the odometry, or as it moved last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.smoothing import between
from cl_localization.mapping.slam.depth_pose import Look

MAX_SPAN_S = 1.0
"""Motion seen longer ago than this says nothing of the motion now."""

UNKNOWN_S = 1e9
"""The time since a trusted pose where there is none."""


class _Trusted(NamedTuple):
    """A trusted pose (4, 4), where the odometry was then (4, 4) or None, and what was seen there."""

    stamp_ns: int
    world_T_cam: np.ndarray
    odom_T_cam: np.ndarray | None
    look: Look


class MotionModel:
    """The last two poses that were trusted, and what follows from them."""

    def __init__(self) -> None:
        self._last: _Trusted | None = None
        self._before: _Trusted | None = None

    @property
    def last_world_T_cam(self) -> np.ndarray | None:
        """The last trusted pose (4, 4), as the map has it now."""
        return None if self._last is None else self._last.world_T_cam

    @property
    def last_look(self) -> tuple[Look, np.ndarray] | None:
        """What was seen at the last trusted pose, and that (4, 4)."""
        return None if self._last is None else (self._last.look, self._last.world_T_cam)

    def forget(self) -> None:
        """Know nothing: the camera was carried, or its poses were not trusted for too long."""
        self._last = self._before = None

    def trust(self, frame: Frame, look: Look, world_T_cam: np.ndarray) -> None:
        """Take note of a trusted pose (4, 4) of a frame."""
        self._before, self._last = self._last, _Trusted(frame.stamp_ns, world_T_cam, frame.odom_T_cam, look)

    def follow(self, correction: np.ndarray) -> None:
        """Follow a map that moved by a correction (4, 4), which may have a scale, where the camera is."""
        self._last, self._before = (
            None if trusted is None else trusted._replace(world_T_cam=se3.moved(correction, trusted.world_T_cam))
            for trusted in (self._last, self._before))

    def seconds_to(self, frame: Frame) -> float:
        """Return the time since the last trusted pose; very long if there is none, or if time jumped back."""
        span_s = UNKNOWN_S if self._last is None else (frame.stamp_ns - self._last.stamp_ns) / 1e9
        return span_s if span_s >= 0 else UNKNOWN_S

    def predicted(self, frame: Frame) -> list[np.ndarray]:
        """Return poses (4, 4) that a frame may have, the likeliest first: by odometry, or moved on, or stopped."""
        last = self._last
        if last is None:
            return []
        if frame.odom_T_cam is not None and last.odom_T_cam is not None:
            return [last.world_T_cam @ se3.inverse(last.odom_T_cam) @ frame.odom_T_cam]
        return [_going_on(last, self._before, frame.stamp_ns), last.world_T_cam]


def _going_on(last: _Trusted, before: _Trusted | None, stamp_ns: int) -> np.ndarray:
    """Return the last pose, moved on as before if that is not long ago."""
    if before is None:
        return last.world_T_cam
    span_s, ahead_s = (last.stamp_ns - before.stamp_ns) / 1e9, (stamp_ns - last.stamp_ns) / 1e9
    if not (0 < span_s < MAX_SPAN_S and 0 < ahead_s < MAX_SPAN_S):
        return last.world_T_cam
    moved = se3.inverse(before.world_T_cam) @ last.world_T_cam
    return last.world_T_cam @ between(np.eye(4), moved, ahead_s / span_s)
