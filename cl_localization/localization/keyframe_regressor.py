"""Codes proposed by recognised keyframes: what those should show competes, nothing else, and matches are mutual.

In all of a map, what is far and unique wins over what is near and repeats, a railing or a hedge, and only what is near
tells the position. Among the codes of a few views even those are unambiguous.
"""

from __future__ import annotations

import numpy as np

from cl_localization.features.encoder import Features
from cl_localization.features.mutual_matching import mutual_matches
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.localization.guided_matching import visible_codes
from cl_localization.localization.regressor import SceneCoordinates
from cl_localization.map.map_code import MapCode
from cl_localization.map.table import union

MIN_SIMILARITY = 0.8
MAX_CODES = 8000
"""Keyframes that show more codes than this are in a room whose codes are searched as quickly all at once."""

KEPT_KEYFRAMES = 100


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
        table = self._map.keyframes
        world_T_cam = se3.from_quaternions(table["keyframe_poses"][[keyframe]])[0]
        return visible_codes(self._map, pinhole, se3.inverse(world_T_cam), 0.0,
                             int(table["keyframe_scenes"][keyframe]))[0]


class KeyframeRegressor:
    """A feature lies where the code is that it and nothing else is most like, of those that keyframes show."""

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
