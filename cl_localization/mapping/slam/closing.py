"""What a loop does to the map: keyframes move to where all agrees, parts of the map become one, doubled codes merge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look
from cl_localization.mapping.slam.doubled import merge_doubled
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.loops import Loop, LoopFinder
from cl_localization.mapping.slam.old_place import around
from cl_localization.mapping.slam.options import SlamConfig


@dataclass(frozen=True, eq=False)
class Closure:
    """A loop that changed the map.

    Attributes:
        joined: whether two scenes became one by it.
        scene: number of the scene that the camera is in now.
        correction: (4, 4) by which the map moved where the camera is.
        merged: codes that were there twice.
    """

    joined: bool
    scene: int
    correction: np.ndarray
    merged: int


class LoopClosing:
    """Finds loops of a camera that maps, and mends the map by them."""

    def __init__(self, map_code: MapCode, graph: KeyframeGraph, config: SlamConfig, pose: PoseConfig) -> None:
        self._map, self._graph, self._config = map_code, graph, config
        self._finder = LoopFinder(map_code, graph, config, pose)

    def forget(self) -> None:
        """Let what was seen up to now confirm no loop: the camera was lost."""
        self._finder.forget()

    def close(self, look: Look, keyframe: int, world_T_cam: np.ndarray) -> Closure | None:
        """Return what changed by a loop that the newest keyframe closes, with the camera at a pose (4, 4).

        A loop that says what the map says already is only remembered.
        """
        scene = int(self._map.keyframes["keyframe_scenes"][keyframe])
        loops = self._finder.find(look, keyframe, world_T_cam, scene)
        if not loops:
            return None
        old_scene = int(self._map.keyframes["keyframe_scenes"][loops[-1].old])
        before = self._graph.pose(keyframe)
        for loop in loops:
            self._graph.add_loop(loop.keyframe, loop.old, loop.seen, loop.world_T_cam)
        joined = old_scene != scene
        if joined:
            scene = self._join(scene, old_scene, loops[-1].correction)
        elif se3.pose_error(loops[-1].seen.world_T_cam, world_T_cam)[0] < self._config.bend_above_m:
            return None
        self._graph.bend(scene)
        self._finder.forget()
        return Closure(joined, scene, self._graph.pose(keyframe) @ se3.inverse(before), self._merge(loops[-1]))

    def _join(self, scene: int, old_scene: int, correction: np.ndarray) -> int:
        """Bring the younger of two scenes to the older one, given what takes the first to the second; return that."""
        younger, older = max(scene, old_scene), min(scene, old_scene)
        rows = self._map.keyframes.rows()
        rows = rows[self._map.keyframes["keyframe_scenes"][rows] == younger]
        motion = correction if scene == younger else se3.inverse(correction)
        self._map.move_keyframes(rows, motion @ np.stack([self._graph.pose(keyframe) for keyframe in rows.tolist()]))
        self._map.join_scene(younger, older)
        return older

    def _merge(self, loop: Loop) -> int:
        """Merge the codes of the place of a loop that were mapped since with those that were there before."""
        rows = self._map.keyframes.rows()
        here = np.union1d(around(self._map, loop.old, rows), around(self._map, loop.keyframe, rows))
        is_new = self._graph.way_since(here) < self._config.loop_after_m
        return merge_doubled(self._map, here[~is_new], here[is_new])
