"""Keyframe views for triangulation: keypoints, descriptors, and the code that each feature observes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.triangulation import Observations

MAX_TURN_DEG = 60.0
TURN_COST_M_PER_RAD = 1.0


@dataclass(eq=False)
class View:
    """A keyframe's features.

    Attributes:
        keyframe: its number in the map; -1 after the map has evicted it.
        world_T_cam: (4, 4) current estimate.
        given_world_T_cam: (4, 4) pose given with the image.
        camera: pinhole camera of `features.keypoints_px`, which are undistorted.
        rays: (N, 2) normalized coordinates of the keypoints.
        code: (N,) int64 row of the code that each feature observes; -1 for none.
        scene: number of its scene.
        odom_T_cam: (4, 4) where the odometry was then, as far as it is to be believed; None for nowhere.
    """

    keyframe: int
    world_T_cam: np.ndarray
    given_world_T_cam: np.ndarray
    camera: Camera
    features: Features
    rays: np.ndarray
    code: np.ndarray
    scene: int = 0
    odom_T_cam: np.ndarray | None = None

    @classmethod
    def of(cls, keyframe: int, world_T_cam: np.ndarray, camera: Camera, features: Features, scene: int = 0) -> View:
        """Return the view of a keyframe from the features of its distorted image."""
        keypoints_px = camera.undistort(features.keypoints_px).astype(np.float32)
        undistorted = Features(keypoints_px, features.descriptors, features.scores)
        return cls(keyframe, world_T_cam, world_T_cam, camera.pinhole(), undistorted,
                   camera.normalize(features.keypoints_px),
                   np.full(len(features), -1, np.int64), scene)

    def strongest(self, count: int) -> View:
        """Return the view with so many of its features at most, the strongest; what is linked in it is linked in this
        one as well."""
        if len(self.features) <= count:
            return self
        return replace(self, features=self.features.select(slice(count)), rays=self.rays[:count],
                       code=self.code[:count])

    def unlinked(self) -> np.ndarray:
        """Return the features that observe no code."""
        return np.flatnonzero(self.code < 0)

    def link(self, features: np.ndarray, codes: np.ndarray) -> None:
        """Link features to codes, except for codes that another feature of this view observes."""
        known = np.zeros(max(codes.max(initial=-1), self.code.max(initial=-1)) + 2, bool)
        known[self.code] = True
        new = ~known[codes]
        self.code[features[new]] = codes[new]


@dataclass(frozen=True, eq=False)
class FeatureTracks:
    """Which features of which views show codes (P,), view by view.

    Attributes:
        point, view, feature: (O,) indices of the code, of the view in its store, and of the feature in its view.
        codes: P.
    """

    point: np.ndarray
    view: np.ndarray
    feature: np.ndarray
    codes: int

    @property
    def counts(self) -> np.ndarray:
        """How many observations each code has, (P,)."""
        return np.bincount(self.point, minlength=self.codes)

    def of_codes(self, chosen: np.ndarray) -> FeatureTracks:
        """Return the observations of some codes (P,) bool, which are numbered anew."""
        kept = chosen[self.point]
        number = np.cumsum(chosen) - 1
        return FeatureTracks(number[self.point[kept]], self.view[kept], self.feature[kept], int(chosen.sum()))


class ViewStore:
    """The newest views, at most `capacity`, with their observations."""

    def __init__(self, capacity: int) -> None:
        self.views: list[View] = []
        self._capacity = capacity
        self._refined_with = np.zeros(0, np.int64)

    def add(self, view: View) -> None:
        """Add a view; beyond the capacity, the oldest is dropped."""
        self.views.append(view)
        del self.views[: max(0, len(self.views) - self._capacity)]

    def neighbours(self, view: View, count: int) -> list[View]:
        """Return the views of its scene most likely covisible with `view`: near and similarly oriented, best first."""
        others = [other for other in self.views if other is not view and other.scene == view.scene]
        if not others:
            return []
        poses = np.array([other.world_T_cam for other in others])
        turn_deg = se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ view.world_T_cam[:3, :3])
        distance_m = np.linalg.norm(poses[:, :3, 3] - view.world_T_cam[:3, 3], axis=1)
        spread_m = max(float(np.median(distance_m)), 1e-9)
        cost = distance_m / spread_m + np.deg2rad(turn_deg) * TURN_COST_M_PER_RAD
        order = [index for index in np.argsort(cost) if turn_deg[index] < MAX_TURN_DEG]
        return [others[index] for index in order[:count]]

    def feature_tracks(self, codes: np.ndarray) -> FeatureTracks:
        """Return all observations of sorted codes (P,)."""
        shown = np.concatenate([view.code for view in self.views])
        place = np.full(max(shown.max(initial=-1), codes.max(initial=-1)) + 2, -1, np.int64)  # the last: no code
        place[codes] = np.arange(len(codes))
        found = np.flatnonzero(place[shown] >= 0)
        starts = np.cumsum([0, *(len(view.code) for view in self.views)])
        view = np.searchsorted(starts, found, "right") - 1
        return FeatureTracks(place[shown[found]], view, found - starts[view], len(codes))

    def observations(self, seen: FeatureTracks) -> tuple[Observations, np.ndarray]:
        """Return the observations of feature tracks, sorted by code, and the view index of each."""
        cam_T_world = se3.inverse(np.array([one.world_T_cam for one in self.views]))
        focal_px = np.array([one.camera.focal_px for one in self.views])
        rays = np.concatenate([one.rays[seen.feature[here]] for one, here in self._view_by_view(seen)])
        order = np.argsort(seen.point, kind="stable")
        view = seen.view[order]
        return Observations(seen.point[order], rays[order], cam_T_world[view], focal_px[view]), view

    def due(self, codes: np.ndarray, seen: FeatureTracks, growth: float) -> np.ndarray:
        """Return which of sorted codes (P,) have `growth` times as many observations as when this last said so: one
        more of many changes little."""
        counts = seen.counts
        self._refined_with = np.append(self._refined_with,
                                       np.zeros(max(0, codes.max(initial=-1) + 1 - len(self._refined_with)), np.int64))
        is_due = counts >= growth * self._refined_with[codes]
        self._refined_with[codes[is_due]] = counts[is_due]
        return is_due

    def mean_descriptors(self, seen: FeatureTracks) -> np.ndarray:
        """Return the mean (P, D), of unit length, of the descriptors with which codes are seen; 0 for those that are
        not."""
        sums = np.zeros((seen.codes, self.views[0].features.descriptors.shape[1]), np.float32)
        for one, here in self._view_by_view(seen):
            sums[seen.point[here]] += one.features.descriptors[seen.feature[here]]
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)

    def _view_by_view(self, seen: FeatureTracks) -> list[tuple[View, slice]]:
        """Return the views of feature tracks and where theirs are; at least one."""
        edges = np.r_[0, np.flatnonzero(np.diff(seen.view)) + 1, len(seen.view)].tolist()
        return [(self.views[seen.view[start] if end > start else 0], slice(start, end))
                for start, end in itertools.pairwise(edges)]

    def unlink_removed(self, live: np.ndarray) -> None:
        """Remove the observations of codes that the map gave up, given which rows (M,) of it are live."""
        self._refined_with[~live[:len(self._refined_with)]] = 0
        gone = np.append(~live, False)  # the last: no code
        for view in self.views:
            view.code[gone[view.code]] = -1
