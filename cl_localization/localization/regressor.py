"""Regressors: features to scene coordinates. Those here need no network; see `attention` and `learned` for others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.localization.matching import mutual_matches, visible_codes
from cl_localization.map.code_index import CodeIndex, CodeSearch
from cl_localization.map.map_code import MapCode
from cl_localization.map.table import union

CANDIDATES = 4
SAME_PLACE_CELLS = 5
"""Two codes of a scene this many cells apart are taken for one place: its other modes must not count as rivals."""

MIN_SIMILARITY = 0.8
"""Of a feature and a code that keyframes show."""

MAX_CODES = 8000
"""Keyframes that show more codes than this are in a room whose codes are searched as quickly all at once."""

KEPT_KEYFRAMES = 100


@dataclass(frozen=True, eq=False)
class SceneCoordinates:
    """Predicted world points of some features.

    Attributes:
        features: (N,) int64 index of the feature each is for.
        points_m: (N, 3) float32 in the map frame.
        sigmas_m: (N,) float32 standard deviation.
        ambiguity: (N,) distance of the best over that of the next best place, 0 is certain, 1 a toss-up.
        rows: (N,) int64 the code each came from.
    """

    features: np.ndarray
    points_m: np.ndarray
    sigmas_m: np.ndarray
    ambiguity: np.ndarray
    rows: np.ndarray

    def select(self, mask: np.ndarray) -> SceneCoordinates:
        """Return the coordinates of some features, by mask or index."""
        return SceneCoordinates(self.features[mask], self.points_m[mask], self.sigmas_m[mask], self.ambiguity[mask],
                                self.rows[mask])


def no_coordinates() -> SceneCoordinates:
    """Return coordinates of no features."""
    rows, values = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return SceneCoordinates(rows, np.zeros((0, 3), np.float32), values, values, rows)


class Regressor(Protocol):
    """Gives features their scene coordinates from a map.

    Attributes:
        each_alone: whether what it gives a feature does not depend on the features beside it.
    """

    each_alone: bool

    def regress(self, features: Features) -> SceneCoordinates:
        """Return coordinates for the features that have any."""
        ...


class NearestRegressor:
    """A feature lies where its nearest code does. Needs no training: usable after one keyframe."""

    each_alone = True

    def __init__(self, map_code: MapCode, index: CodeSearch | None = None) -> None:
        """Make a regressor for a map, or for the part of it that an index searches."""
        self._map = map_code
        self._index = index or CodeIndex(map_code)

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the position of the nearest code of every feature, and how much nearer it is than the next best
        place."""
        similarity, rows = self._index.search(features.descriptors, CANDIDATES)
        found = np.flatnonzero(rows[:, 0] >= 0)
        similarity, rows = similarity[found], rows[found]
        positions_m = self._map.codes["positions_m"][rows]
        distance = np.sqrt(np.maximum(2.0 - 2.0 * similarity, 1e-6))
        apart_m = np.linalg.norm(positions_m - positions_m[:, :1], axis=2)
        scenes = self._map.codes["scenes"][rows]
        elsewhere = (apart_m > SAME_PLACE_CELLS * self._map.cell_size_m) | (scenes != scenes[:, :1])
        rival = elsewhere & (rows >= 0)
        rival_distance = np.where(rival, distance, np.inf).min(axis=1, initial=np.inf)
        next_distance = np.where(np.isfinite(rival_distance), rival_distance, distance.max(axis=1, initial=0))
        return SceneCoordinates(found, positions_m[:, 0], self._map.codes["sigmas_m"][rows[:, 0]],
                                distance[:, 0] / next_distance, rows[:, 0])


class KeyframeRegressor:
    """A feature lies where the code is that it and nothing else is most like, of those that keyframes show.

    In all of a map, what is far and unique wins over what is near and repeats, a railing or a hedge, and only what is
    near tells the position. Among the codes of a few views even those are unambiguous.
    """

    each_alone = False

    def __init__(self, map_code: MapCode, rows: np.ndarray) -> None:
        self._map, self._rows = map_code, rows
        self._keys = map_code.descriptors(rows)

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the positions of codes that are a feature's nearest and it theirs."""
        found, code, _ = mutual_matches(features.descriptors, self._keys, MIN_SIMILARITY)
        rows = self._rows[code]
        return SceneCoordinates(found, self._map.codes["positions_m"][rows], self._map.codes["sigmas_m"][rows],
                                np.zeros(len(found), np.float32), rows)


class ShownCodes:
    """The codes that keyframes of a map show, kept until the map or the camera is another."""

    def __init__(self, map_code: MapCode) -> None:
        self._map, self._version = map_code, -1
        self._camera: Camera | None = None
        self._shown: dict[int, np.ndarray] = {}

    def regressor(self, keyframes: np.ndarray, camera: Camera) -> KeyframeRegressor | None:
        """Return the regressor of the codes that a camera at live keyframes (K,) should see; None for too many."""
        if (self._map.version, camera) != (self._version, self._camera) or len(self._shown) > KEPT_KEYFRAMES:
            self._version, self._camera, self._shown = self._map.version, camera, {}
        rows = np.zeros(0, np.int64)
        for keyframe in keyframes[self._map.keyframes.live[keyframes]].tolist():
            if keyframe not in self._shown:
                self._shown[keyframe] = self._seen_from(keyframe, camera.pinhole())
            rows = union(rows, self._shown[keyframe])
            if len(rows) > MAX_CODES:
                return None
        return KeyframeRegressor(self._map, rows) if len(rows) else None

    def _seen_from(self, keyframe: int, pinhole: Camera) -> np.ndarray:
        cam_T_world, scene = se3.inverse(self._map.pose_of(keyframe)), self._map.keyframes["keyframe_scenes"][keyframe]
        return visible_codes(self._map, pinhole, cam_T_world, 0.0, int(scene))[0]
