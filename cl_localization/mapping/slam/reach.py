"""Whether a camera can have gone from where it was lost in one part of a map to where it began the next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode

FLOOR_M = 0.5
"""What two places may be apart without any time between them: poses around a gap are not exact."""


class _Gap(NamedTuple):
    """Between the last trusted pose, which follows a keyframe (a number, and its stamp: numbers are used again), and
    the first (4, 4) of another part of the map, with the times of both."""

    keyframe: int
    keyframe_stamp_ns: int
    keyframe_T_cam: np.ndarray
    last_s: float
    world_T_begin: np.ndarray
    begin_s: float


class Reach:
    """Remembers how parts of a map were begun: with the camera lost, but not carried away faster than it can move.

    Rooms that look the same cannot be told apart by what is seen in them; but who is lost for half a second is not in
    another one after that.
    """

    def __init__(self, map_code: MapCode, max_speed_m_s: float) -> None:
        self._map, self._max_speed_m_s = map_code, max_speed_m_s
        self._gaps: dict[int, _Gap] = {}

    def began(self, scene: int, world_T_begin: np.ndarray, begin_s: float, keyframe: int, world_T_last: np.ndarray,
              last_s: float) -> None:
        """Take note that a scene was begun at a pose (4, 4) and a time, after the last trusted pose (4, 4), which
        followed a keyframe of another scene."""
        keyframe_T_last = se3.inverse(self._map.pose_of(keyframe)) @ world_T_last
        stamp_ns = int(self._map.keyframes["keyframe_stamps_ns"][keyframe])
        self._gaps[scene] = _Gap(keyframe, stamp_ns, keyframe_T_last, last_s, world_T_begin, begin_s)

    def allows(self, scene: int, other: int, scene_to_other: np.ndarray) -> bool:
        """Return whether a motion (4, 4) of one scene to another leaves a way that the camera can have gone."""
        return (self._allows(scene, other, scene_to_other)
                and self._allows(other, scene, np.linalg.inv(scene_to_other)))

    def _allows(self, begun: int, before: int, begun_to_before: np.ndarray) -> bool:
        begin, last = self._gaps.get(begun), self._last_in(before, begun)
        if begin is None or last is None:
            return True
        last_m = (self._map.pose_of(last.keyframe) @ last.keyframe_T_cam)[:3, 3]
        began_m = se3.moved(begun_to_before, begin.world_T_begin)[:3, 3]
        return bool(np.linalg.norm(began_m - last_m)
                    <= FLOOR_M + self._max_speed_m_s * (begin.begin_s - last.last_s))

    def _last_in(self, before: int, begun: int) -> _Gap | None:
        """Return the gap at which the camera left a scene for the one begun, or for others between the two."""
        gap, scenes = self._gaps.get(begun), self._map.keyframes["keyframe_scenes"]
        while gap is not None and self._has(gap) and scenes[gap.keyframe] != before:
            earlier = self._gaps.get(int(scenes[gap.keyframe]))
            gap = earlier if earlier is None or earlier.begin_s < gap.begin_s else None
        return gap if gap is not None and self._has(gap) else None

    def _has(self, gap: _Gap) -> bool:
        """Return whether the map still has the keyframe of a gap."""
        table = self._map.keyframes
        return bool(table.live[gap.keyframe]) and table["keyframe_stamps_ns"][gap.keyframe] == gap.keyframe_stamp_ns
