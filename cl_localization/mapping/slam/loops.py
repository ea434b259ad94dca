"""Loops: a place seen long ago is recognised, verified by geometry, by the drift that it implies, and by a second
view."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.slam.depth_pose import Look, SeenPose, pose_near
from cl_localization.mapping.slam.keyframe_graph import KeyframeGraph
from cl_localization.mapping.slam.old_place import FEATURES, alike, around, near_pose, pose_by
from cl_localization.mapping.slam.options import SlamConfig
from cl_localization.mapping.slam.reach import Reach

FLOOR_M, FLOOR_DEG = 0.05, 2.0
"""Views of one loop may differ by this, and a loop by it from no drift at all."""

DEG_PER_M = 1.0
"""Largest drift of the heading."""

MIN_INLIERS = 40
"""Matches to the old place that must agree with one pose."""

DRIFT_SHARE = 0.04
"""A loop that says that own poses drifted more than this share of the way since then is wrong."""

ENOUGH_SEEN_TWICE = 15
"""Features that show codes of an old place and codes mapped since: the ratio of their distances is that of the units
of length."""

AGREEING_VIEWS = 2
"""Views that must agree on a loop."""

MIN_BASELINE_M = 0.15
"""The way between two views that confirm each other, turns included."""

JOINING_SHARE = 0.12
"""Parts of a map whose distance nothing tells are joined by views of which this share of the features agrees."""


@dataclass(frozen=True, eq=False)
class Loop:
    """An old place seen again.

    Attributes:
        keyframe, old: the keyframe that sees it, and the one that saw it before.
        world_T_cam: (4, 4) of the camera, as believed.
        seen: the pose of the same camera by the codes of the old place.
        way_m: of the camera when it was seen.
        scale: distances by the codes of the old place, in those by the codes that were mapped since.
    """

    keyframe: int
    old: int
    world_T_cam: np.ndarray
    seen: SeenPose
    way_m: float
    scale: float = 1.0

    @property
    def correction(self) -> np.ndarray:
        """Takes (4, 4), with its scale, what is believed here to where the old place is."""
        return se3.similarity(self.seen.world_T_cam, self.scale) @ se3.inverse(self.world_T_cam)

    def agrees(self, other: Loop) -> bool:
        """Return whether another loop says the same, seen from elsewhere."""
        if abs(self.way_m - other.way_m) < MIN_BASELINE_M:
            return False
        apart_m, apart_deg = se3.pose_error(se3.moved(other.correction, self.world_T_cam), self.seen.world_T_cam)
        return apart_m < FLOOR_M and apart_deg < FLOOR_DEG


class LoopFinder:
    """Looks for old places while the camera moves."""

    def __init__(self, map_code: MapCode, graph: KeyframeGraph, config: SlamConfig, pose: PoseConfig,
                 reach: Reach, without_scale: Set[str]) -> None:
        """Make a finder; `without_scale` are the names of scenes whose unit of length is unknown, and drifts."""
        self._map, self._graph, self._config, self._pose = map_code, graph, config, pose
        self._reach, self._without_scale = reach, without_scale
        self._looked_at_m = -np.inf
        self._seen: list[tuple[Loop, list[int]]] = []  # with the stamps of its keyframes

    def forget(self) -> None:
        """Let views up to now confirm nothing more."""
        self._seen = []

    def find(self, look: Look, keyframe: int, world_T_cam: np.ndarray, scene: int) -> list[Loop]:
        """Return the views of a loop that agree with each other, the newest last; empty as long as they are too few.

        Args:
            keyframe: the newest, of `look`, in a scene, at a pose (4, 4).
        """
        if self._graph.way_m - self._looked_at_m < self._config.loop_every_m:
            return []
        self._looked_at_m = self._graph.way_m
        loop = self._loop_within(look, keyframe, world_T_cam, scene) or self._joint(look, keyframe, world_T_cam, scene)
        if loop is None:
            return []
        scenes = self._map.keyframes["keyframe_scenes"]
        self._seen = [(one, stamps_ns) for one, stamps_ns in self._seen
                      if loop.way_m - one.way_m < self._config.loop_after_m and self._stamps_ns(one) == stamps_ns]
        agreeing = [one for one, _ in self._seen if loop.agrees(one) and scenes[one.old] == scenes[loop.old]]
        self._seen.append((loop, self._stamps_ns(loop)))
        return [*agreeing, loop] if len(agreeing) + 1 >= AGREEING_VIEWS else []

    def _stamps_ns(self, loop: Loop) -> list[int]:
        """Return the stamps of those keyframes of a loop that the map has; of others that took their numbers, too."""
        keyframes, both = self._map.keyframes, np.array([loop.keyframe, loop.old])
        return keyframes["keyframe_stamps_ns"][both[keyframes.live[both]]].tolist()

    def _loop_within(self, look: Look, keyframe: int, world_T_cam: np.ndarray, scene: int) -> Loop | None:
        """Return a loop in the scene that the camera is in."""
        old = self._map.keyframes_of(scene)
        old = old[self._graph.way_since(old) > self._config.loop_after_m]
        if len(old) == 0:
            return None
        here = old[near_pose(self._map.pose_of(old), world_T_cam)]
        places = [here, *(around(self._map, one, old) for one in alike(self._map, look, old))]
        for keyframes in places:
            loop = self._loop_at(look, keyframe, world_T_cam, keyframes, MIN_INLIERS)
            if loop is not None and self._is_drift(loop):
                return loop
        return None

    def _joint(self, look: Look, keyframe: int, world_T_cam: np.ndarray, scene: int) -> Loop | None:
        """Return a view of another scene that was mapped by own poses or is gone on in."""
        others = np.setdiff1d(self._map.keyframes.rows(), self._map.keyframes_of(scene))
        enough = max(MIN_INLIERS, int(JOINING_SHARE * min(len(look.features), FEATURES)))
        for one in alike(self._map, look, others):
            loop = self._loop_at(look, keyframe, world_T_cam, around(self._map, one, others), enough)
            if loop is not None and self._is_reachable(loop, scene):
                return loop
        return None

    def _is_reachable(self, loop: Loop, scene: int) -> bool:
        """Return whether the camera can have come from one of two scenes to the other as fast as a loop says."""
        old_scene, names = int(self._map.keyframes["keyframe_scenes"][loop.old]), self._map.scene_names
        return bool(self._without_scale & {names[scene], names[old_scene]}) or self._reach.allows(
            scene, old_scene, loop.correction)

    def _loop_at(self, look: Look, keyframe: int, world_T_cam: np.ndarray, keyframes: np.ndarray,
                 min_inliers: int) -> Loop | None:
        if len(keyframes) == 0:
            return None
        old_scene = self._map.scene_names[self._map.keyframes["keyframe_scenes"][keyframes[0]]]
        old_look = look.without_depth() if old_scene in self._without_scale else look
        seen = pose_by(self._map, old_look, keyframes, self._pose, min_inliers)
        if seen is None:
            return None
        old = int(np.bincount(self._map.codes["anchors"][seen.rows]).argmax())
        scale = self._scale(look, keyframe, world_T_cam, keyframes, seen, old)
        return None if scale is None else Loop(keyframe, old, world_T_cam, seen, self._graph.way_m, scale)

    def _scale(self, look: Look, keyframe: int, world_T_cam: np.ndarray, old_keyframes: np.ndarray, seen: SeenPose,
               old: int) -> float | None:
        """Return how long distances by the codes of an old place are in those by the codes mapped since; None if that
        matters, and too few features show both."""
        scene, old_scene = (int(self._map.keyframes["keyframe_scenes"][one]) for one in (keyframe, old))
        if not self._without_scale & {self._map.scene_names[scene], self._map.scene_names[old_scene]}:
            return 1.0
        here = pose_near(self._map, look, world_T_cam, scene, self._pose)
        if here is None:
            return None
        codes = self._map.codes
        since = ~np.isin(codes["anchors"][here.rows], old_keyframes)
        _, one, other = np.intersect1d(here.features[since], seen.features, return_indices=True)
        if len(one) < ENOUGH_SEEN_TWICE:
            return None
        ahead, old_ahead = (
            project(look.pinhole, se3.inverse(pose), codes["positions_m"][rows])[1] for pose, rows in
            ((here.world_T_cam, here.rows[since][one]), (seen.world_T_cam, seen.rows[other])))
        return float(np.median(old_ahead / np.maximum(ahead, 1e-9)))

    def _is_drift(self, loop: Loop) -> bool:
        """Return whether own poses can have drifted as much as a loop says."""
        way_m = float(self._graph.way_since(np.array([loop.old]))[0])
        way_m = way_m if np.isfinite(way_m) else self._graph.way_m
        off_m, off_deg = se3.pose_error(loop.world_T_cam, loop.seen.world_T_cam)
        return off_m < FLOOR_M + DRIFT_SHARE * way_m and off_deg < FLOOR_DEG + DEG_PER_M * way_m
