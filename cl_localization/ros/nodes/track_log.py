"""Log lines of what a user of the localizer waits for: the first pose, LOST and why, RELOCALIZED."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cl_localization.tracking.tracker import State, Track

WAITING_S = 10.0
"""Time between two lines while there is no pose."""


class TrackLog:
    """Turns the tracker's decisions into few log lines; not thread-safe, as a line said twice does no harm."""

    def __init__(self, logger: Any, now_s: Callable[[], float] = time.monotonic) -> None:
        """Log to `logger`; `now_s` is the clock for `WAITING_S`."""
        self._console, self._now_s = logger, now_s
        self._state, self._has_pose, self._said_s = State.LOST, False, now_s()

    def note(self, track: Track, map_T_cam: np.ndarray | None = None) -> None:
        """Take a decision, and the camera's pose (4, 4) if there is one."""
        was, self._state = self._state, track.state
        if track.state == State.RELOCALIZED and track.trusted and map_T_cam is not None:
            x, y, z = map_T_cam[:3, 3]
            self._console.info(f"{'RELOCALIZED' if self._has_pose else 'first pose'}: camera at {x:.2f} {y:.2f} "
                               f"{z:.2f} m in the map; {track.reason}")
            self._has_pose = True
        elif track.state == State.LOST and was != State.LOST:
            self._console.warning(f"LOST: {track.reason}")
        elif track.state == State.LOST and self._now_s() - self._said_s > WAITING_S:
            self._console.info(f"no pose{'' if self._has_pose else ' yet'}: {track.reason}")
        else:
            return
        self._said_s = self._now_s()
