"""Mapping without depth with poses that the map finds itself: a new keyframe, those around it and the points that they
show are adjusted together, and all of them in the end."""

from __future__ import annotations

import numpy as np

from cl_localization.config import TriangulationConfig
from cl_localization.geometry import se3
from cl_localization.geometry.bundle_adjustment import NO_STEPS, MeasuredSteps, PosePrior, adjusted
from cl_localization.geometry.triangulation import Observations
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit.health import Moved
from cl_localization.mapping.pose_adjustment import sampled
from cl_localization.mapping.triangulating_mapper import FINAL_ROUNDS, TriangulatingMapper, codes_of

WINDOW, NEWEST = 8, 3
"""Keyframes that are adjusted with a new one: those most likely to show the same, and the newest in any case."""

FIRST_LOOSENESS, ENOUGH_OBSERVATIONS = 2.0, 20
"""A new keyframe is matched within this many times the reprojection error allowed; with so many observations it is
posed by them before it is matched with others."""

HELD_SHARE, HELD_RAD = 0.1, 0.1
"""An adjustment moves keyframes hardly farther than this share of the distance to what they see, and turns them no
more: that holds what the observations say nothing of, as the scale of a map by a camera alone."""

ITERATIONS = 10

STEP_SIGMA_M, STEP_SIGMA_SHARE, STEP_SIGMA_RAD = 0.002, 0.02, 0.02
"""How exact odometry is between two keyframes: on the spot, of the way, and of the turn."""


class WindowMapper(TriangulatingMapper):
    """Adds codes from views without depth whose poses are those that the map gave them, and makes both better."""

    def __init__(self, map_code: MapCode, config: TriangulationConfig) -> None:
        super().__init__(map_code, config)
        self._poses_move = True

    def add(self, view: View) -> tuple[int, int]:
        """Learn from a view; returns how many codes were inserted and how many were seen again."""
        self.forget_removed()
        near = self._store.neighbours(view, WINDOW)
        newest = [other for other in self._store.views[-NEWEST:] if other.scene == view.scene]
        window = [view, *near, *(other for other in newest if not any(other is one for one in near))]
        self._store.add(view)
        seen_again = self._link_to_map(view, FIRST_LOOSENESS)
        if seen_again >= ENOUGH_OBSERVATIONS:
            self._refine(codes_of([view]), moving=[view])
        inserted = self._insert_from_pairs(view, near[:self._config.neighbours], FIRST_LOOSENESS)
        for one in window:
            self._link_to_map(one, 1.0)
        self._refine(codes_of(window), moving=window)
        return inserted, seen_again

    def finish(self) -> None:
        """Look for every code in every view once more, and adjust everything."""
        self.forget_removed()
        for _ in range(FINAL_ROUNDS):
            for view in self._store.views:
                self._link_to_map(view, 1.0)
            self._refine(codes_of(self._store.views), moving=self._store.views)

    def forget_removed(self) -> None:
        """Forget what the map gave up; views lie where loops have moved their keyframes since, in the scene that these
        are in now."""
        super().forget_removed()
        table = self._map.keyframes
        poses = dict(zip(table.rows().tolist(), self._map.keyframe_world_T_cam))
        self._store.views = [view for view in self._store.views if view.keyframe >= 0]
        for view in self._store.views:
            view.world_T_cam, view.scene = poses[view.keyframe], int(table["keyframe_scenes"][view.keyframe])

    def known_poses(self, scene: int) -> np.ndarray:
        """Return the poses (K, 4, 4) of remembered keyframes of a scene: one from a file, or made with depth, has no
        features for the next one to be matched with, and what lies behind it would be of any size."""
        keyframes = self._map.keyframes_of(scene)
        return self._map.pose_of(keyframes[np.isin(keyframes, [view.keyframe for view in self._store.views])])

    def given_poses(self, keyframes: np.ndarray) -> np.ndarray:
        """Return the poses (K, 4, 4) of keyframes (K,) in the map: no others were given."""
        return self._map.pose_of(keyframes)

    def moved(self) -> Moved:
        """Return how far poses that were given were moved: none was given."""
        return Moved()

    def _adjust(self, codes: np.ndarray, moving: list[View]) -> None:
        """Move views to what their observations say: those of codes, and of what the map had before, which stays."""
        super()._adjust(np.union1d(codes, codes_of(moving)), moving)

    def _adjusted_poses(self, codes: np.ndarray, seen: Observations, view: np.ndarray, is_moving: np.ndarray,
                        sigma_px: float) -> np.ndarray:
        seen, view, codes = sampled(seen, view, codes)
        points_m = self._map.codes["positions_m"][codes].astype(np.float64)
        held = ~np.isin(codes, self._own(codes))
        views = self._store.views
        cam_T_world = se3.inverse(np.array([one.world_T_cam for one in views]))
        held_m = HELD_SHARE * float(np.median(np.linalg.norm(points_m[seen.point] - seen.centres_m, axis=1)))
        prior = PosePrior(cam_T_world, held_m, HELD_RAD, ~is_moving | self._is_anchor(is_moving))
        steps = measured_steps(views)
        return adjusted(cam_T_world, points_m, seen, view, prior, sigma_px, ITERATIONS, steps, held)[0]

    def _is_anchor(self, is_moving: np.ndarray) -> np.ndarray:
        """Return which views (K,) must stay where they are: the first of each scene of which all are moving."""
        scenes = np.array([view.scene for view in self._store.views])
        anchors = np.zeros(len(scenes), bool)
        for scene in np.unique(scenes[is_moving]):
            if is_moving[scenes == scene].all():
                anchors[np.argmax(scenes == scene)] = True
        return anchors


def measured_steps(views: list[View]) -> MeasuredSteps:
    """Return what the odometry says of the way from each view to the next of the same scene."""
    second = [number for number in range(1, len(views)) if views[number].scene == views[number - 1].scene
              and views[number].odom_T_cam is not None and views[number - 1].odom_T_cam is not None]
    if not second:
        return NO_STEPS
    after = np.array(second)
    odom_T_cam = np.array([(views[number - 1].odom_T_cam, views[number].odom_T_cam) for number in second])
    first_T_second = se3.inverse(odom_T_cam[:, 0]) @ odom_T_cam[:, 1]
    way_m = np.linalg.norm(first_T_second[:, :3, 3], axis=1)
    return MeasuredSteps(after - 1, after, first_T_second, STEP_SIGMA_M + STEP_SIGMA_SHARE * way_m,
                         np.full(len(after), STEP_SIGMA_RAD))
