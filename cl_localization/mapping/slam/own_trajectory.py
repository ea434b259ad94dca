"""The poses of all frames, each kept relative to a keyframe, so that they follow it when the map is corrected."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode


@dataclass(frozen=True, eq=False)
class _Posed:
    """A frame: its stamp, its keyframe by number and stamp, and its pose (4, 4) in that and as it was in the map."""

    stamp_ns: int
    keyframe: int
    keyframe_stamp_ns: int
    keyframe_T_cam: np.ndarray
    world_T_cam: np.ndarray


class OwnTrajectory:
    """Poses of the frames of a drive, in order of time."""

    def __init__(self, map_code: MapCode, length: int | None = None) -> None:
        """Start empty; so many of the newest poses are kept, all by default."""
        self._map = map_code
        self._frames: deque[_Posed] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, stamp_ns: int, world_T_cam: np.ndarray, keyframe: int) -> None:
        """Take note of a frame at a pose (4, 4) that follows a live keyframe; a frame without one (-1) is left out."""
        if keyframe < 0:
            return
        keyframe_T_cam = se3.inverse(self._map.pose_of(keyframe)) @ world_T_cam
        self._frames.append(_Posed(stamp_ns, keyframe, int(self._map.keyframes["keyframe_stamps_ns"][keyframe]),
                                   keyframe_T_cam, world_T_cam))

    def rescale(self, growth: dict[int, float]) -> None:
        """Take note that distances around keyframes have grown."""
        for frame in self._frames:
            frame.keyframe_T_cam[:3, 3] *= growth.get(frame.keyframe, 1.0)

    def poses_of_first_part(self) -> list[tuple[int, np.ndarray]]:
        """Return the poses of the part of the map that the first frame is in, of those whose keyframes are there."""
        scenes = (self._map.keyframes["keyframe_scenes"][frame.keyframe] for frame in self._frames if self._has(frame))
        return next((self.poses(int(scene)) for scene in scenes), [])

    def poses(self, scene: int | None = None) -> list[tuple[int, np.ndarray]]:
        """Return (stamp_ns, world_T_cam) of every frame as the map has it now, of one scene or of all, in order of
        time."""
        table, poses = self._map.keyframes, self._map.keyframe_world_T_cam
        place = {keyframe: index for index, keyframe in enumerate(table.rows().tolist())}
        found = []
        for frame in self._frames:
            has_keyframe = self._has(frame)
            if scene is not None and not (has_keyframe and table["keyframe_scenes"][frame.keyframe] == scene):
                continue
            found.append((frame.stamp_ns, poses[place[frame.keyframe]] @ frame.keyframe_T_cam if has_keyframe
                          else frame.world_T_cam))
        return sorted(found, key=lambda posed: posed[0])

    def _has(self, frame: _Posed) -> bool:
        """Return whether the map still has the keyframe of a frame, and not another one with its number."""
        table, keyframe = self._map.keyframes, frame.keyframe
        return bool(table.live[keyframe]) and table["keyframe_stamps_ns"][keyframe] == frame.keyframe_stamp_ns


def free_scene(map_code: MapCode, name: str) -> int:
    """Return the number of a scene without keyframes: of a name, or else of it with a number behind.

    Raises:
        MapError: see `MapCode.scene_number`.
    """
    taken = set(map_code.keyframes["keyframe_scenes"][map_code.keyframes.rows()].tolist())
    names = itertools.chain([name], (f"{name} {number}" for number in itertools.count(2)))
    return next(scene for scene in map(map_code.scene_number, names) if scene not in taken)
