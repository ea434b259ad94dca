"""What a loop does to the map: keyframes move to where all agrees, parts of the map become one, doubled codes merge."""

from __future__ import annotations

from collections.abc import MutableSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.localization.matching import best_pairs
from cl_localization.map.map_code import MapCode, NewCodes
from cl_localization.mapping.slam.depth_pose import Look
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.loops import Loop, LoopFinder
from cl_localization.mapping.slam.old_place import around
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.mapping.slam.reach import Reach

if TYPE_CHECKING:
    from cl_localization.mapping.learned.learner import CodeLearner

BEND_ABOVE_M = 0.008
"""Loops bend the map when it is off by more than this."""

MERGE_DISTANCE_M, MERGE_SIMILARITY = 0.03, 0.80
NEIGHBOURS = 4


@dataclass(frozen=True, eq=False)
class Closure:
    """A loop that changed the map.

    Attributes:
        joined: whether two scenes became one by it.
        scene: number of the scene that the camera is in now.
        correction: (4, 4), with a scale, by which the map moved where the camera is.
        merged: codes that were there twice.
        growth: of distances around keyframes whose part of the map became one with another, and has its unit of length
            now.
    """

    joined: bool
    scene: int
    correction: np.ndarray
    merged: int
    growth: dict[int, float]


class LoopClosing:
    """Finds loops of a camera that maps, and mends the map by them.

    Attributes:
        reach: how parts of the map were begun.
    """

    def __init__(self, map_code: MapCode, graph: KeyframeGraph, config: SlamConfig, pose: PoseConfig,
                 without_scale: MutableSet[str], learner: CodeLearner | None = None) -> None:
        """Make a closing; `without_scale` are the names of scenes whose unit of length is unknown: those that become
        part of another go from it. `learner` learns of the map, and forgets what is moved by more than a bend."""
        self._map, self._graph, self._config = map_code, graph, config
        self._without_scale, self._learner = without_scale, learner
        self.reach = Reach(map_code, config.max_speed_m_s)
        self._finder = LoopFinder(map_code, graph, config, pose, self.reach, self._without_scale)

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
        newest = loops[-1]
        old_scene = int(self._map.keyframes["keyframe_scenes"][newest.old])
        before, joined = self._map.pose_of(keyframe), old_scene != scene
        growth: dict[int, float] = {}
        for loop in loops:
            self._graph.add_loop(loop.keyframe, loop.old, loop.seen, loop.world_T_cam, loop.scale)
        if joined:
            scene, growth = self._join(scene, old_scene, newest.correction)
        elif se3.pose_error(newest.seen.world_T_cam, world_T_cam)[0] < BEND_ABOVE_M:
            return None
        self._graph.bend(scene, self._map.scene_names[scene] not in self._without_scale)
        self._finder.forget()
        correction = se3.similarity(self._map.pose_of(keyframe), growth.get(keyframe, 1.0)) @ se3.inverse(before)
        return Closure(joined, scene, correction, self._merge(newest), growth)

    def grow(self, scene: int, growth: np.ndarray) -> dict[int, float]:
        """Make a scene without a scale metric by a similarity (4, 4); return by how much distances grew around which
        keyframes."""
        self._without_scale.discard(self._map.scene_names[scene])
        grown = self._moved(scene, growth)
        self._graph.rescale(grown)
        self._finder.forget()
        return grown

    def _join(self, scene: int, old_scene: int, correction: np.ndarray) -> tuple[int, dict[int, float]]:
        """Bring the younger of two scenes to the older one, given the similarity (4, 4) that takes the first to the
        second; return the older one, and by how much distances grew around which keyframes.

        Of two units of length, the one that is a metre stays, else the older one.
        """
        younger, older = max(scene, old_scene), min(scene, old_scene)
        younger_name, older_name = (self._map.scene_names[one] for one in (younger, older))
        to_older, growth = correction if scene == younger else np.linalg.inv(correction), 1.0
        if older_name in self._without_scale and younger_name not in self._without_scale:
            growth = 1 / float(np.cbrt(np.linalg.det(to_older[:3, :3])))
            self._without_scale.remove(older_name)
        self._without_scale.discard(younger_name)
        whole = se3.similarity(np.eye(4), growth)
        grown = self._moved(older, whole) | self._moved(younger, whole @ to_older)
        self._graph.rescale(grown)
        self._map.join_scene(younger, older)
        return older, grown

    def _moved(self, scene: int, motion: np.ndarray) -> dict[int, float]:
        """Move a scene by a similarity (4, 4); return by how much distances grew around which keyframes."""
        growth = float(np.cbrt(np.linalg.det(motion[:3, :3])))
        rows = self._map.keyframes_of(scene)
        if not np.allclose(motion, np.eye(4)):
            poses = self._map.pose_of(rows)
            self._map.move_keyframes(rows, se3.moved(motion, poses), np.full(len(rows), growth))
            if self._learner is not None:
                self._learner.forget(scene)
        return dict.fromkeys(rows.tolist(), growth)

    def _merge(self, loop: Loop) -> int:
        """Merge the codes of the place of a loop that were mapped since with those that were there before."""
        rows = self._map.keyframes.rows()
        here = np.union1d(around(self._map, loop.old, rows), around(self._map, loop.keyframe, rows))
        is_new = self._graph.way_since(here) < self._config.loop_after_m
        return merge_doubled(self._map, here[~is_new], here[is_new])


def merge_doubled(map_code: MapCode, old_keyframes: np.ndarray, new_keyframes: np.ndarray) -> int:
    """Merge codes anchored to new keyframes (N,) into those anchored to old ones (O,) that lie and look alike; return
    how many.

    Both must belong to one scene. The old code stays, with both observations; the new one goes.
    """
    codes = map_code.codes
    old = np.flatnonzero(codes.live & np.isin(codes["anchors"], old_keyframes))
    new = np.flatnonzero(codes.live & np.isin(codes["anchors"], new_keyframes))
    if len(old) == 0 or len(new) == 0:
        return 0
    tree = cKDTree(codes["positions_m"][old])
    apart_m, found = tree.query(codes["positions_m"][new], k=[*range(1, min(NEIGHBOURS, len(old)) + 1)],
                                distance_upper_bound=MERGE_DISTANCE_M)
    row, slot = np.nonzero(np.isfinite(apart_m))
    row, other, _ = best_pairs(map_code.descriptors(new), map_code.descriptors(old), row, found[row, slot],
                               MERGE_SIMILARITY)
    gone, kept = new[row], old[other]
    for keyframe in np.unique(codes["anchors"][gone]).tolist():
        of = codes["anchors"][gone] == keyframe
        seen = NewCodes(map_code.descriptors(gone[of]), codes["positions_m"][gone[of]], codes["sigmas_m"][gone[of]])
        map_code.merge(kept[of], seen, keyframe)
    map_code.remove(gone)
    return len(gone)
