"""Whether poses given with new keyframes are in the frame of the map that they extend.

A second recording may have its origin elsewhere. Its images agree with its own poses, and so does what is mapped from
them; but where it shows a place of the map, that place says where the camera was.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.audit.health import OtherFrame
from cl_localization.mapping.slam.depth_pose import Look
from cl_localization.mapping.slam.old_place import alike, around, pose_by

MIN_INLIERS = 80
"""Matches to codes of the map as it was that must agree with one pose: fewer may be of a place that looks alike."""

EVERY, ENOUGH, LATER_EVERY = 2, 12, 8
"""One keyframe of so many is localized, until so many were; then one of so many."""

KEPT = 40
"""Keyframes whose poses in the map are kept, the newest."""


@dataclass(frozen=True, eq=False)
class Revisit:
    """A new keyframe that shows what an old one shows.

    Attributes:
        old, new: keyframes of the map.
        old_T_new: (4, 4) between their cameras, by codes of the map as it was.
        distance_m: median, to what both show.
    """

    old: int
    new: int
    old_T_new: np.ndarray
    distance_m: float


class EarlierMap:
    """The keyframes that a map had when it was loaded, and new ones that were localized among their codes."""

    def __init__(self, map_code: MapCode) -> None:
        """Take the keyframes that are in a map now for those that are extended."""
        self._map, self._old = map_code, map_code.keyframes.rows()
        self._added, self._revisits = 0, deque[Revisit](maxlen=KEPT)

    def add(self, view: View) -> None:
        """Localize a new keyframe among the codes of old ones of its scene, if it is its turn."""
        self._added += 1
        if self._added % (EVERY if len(self._revisits) < ENOUGH else LATER_EVERY):
            return
        old = self._old[self._map.keyframes["keyframe_scenes"][self._old] == view.scene]
        look = Look(view.features, view.camera, np.zeros(len(view.features)))
        for place in alike(self._map, look, old)[:1]:
            seen = pose_by(self._map, look, around(self._map, place, old), PoseConfig(), MIN_INLIERS)
            if seen is not None:
                positions_m = self._map.codes["positions_m"][seen.rows]
                _, ahead_m = project(look.pinhole, se3.inverse(seen.world_T_cam), positions_m)
                old_T_new = se3.inverse(self._map.pose_of(place)) @ seen.world_T_cam
                self._revisits.append(Revisit(int(place), view.keyframe, old_T_new, float(np.median(ahead_m))))

    def forget_removed(self) -> None:
        """Forget keyframes that the map gave up: their numbers will be used again."""
        live = self._map.keyframes.live
        self._old = self._old[live[self._old]]
        self._revisits = deque((one for one in self._revisits if live[one.old] and live[one.new]), KEPT)

    def other_frame(self, keyframes: np.ndarray, given_world_T_cam: np.ndarray) -> OtherFrame:
        """Return how far the poses (K, 4, 4) given with keyframes (K,) are from those that the map says; keyframes that
        have come into another scene since say nothing."""
        scenes = self._map.keyframes["keyframe_scenes"]
        seen = [one for one in self._revisits if scenes[one.old] == scenes[one.new]]
        given = dict(zip(keyframes.tolist(), given_world_T_cam))
        errors = [se3.pose_error(given[one.new], given[one.old] @ one.old_T_new) for one in seen]
        if not errors:
            return OtherFrame()
        off_m, off_deg = np.median(errors, axis=0)
        shares = [error_m / one.distance_m for (error_m, _), one in zip(errors, seen)]
        return OtherFrame(len(errors), float(off_m), float(off_deg), float(np.median(shares)))
