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


class KeyframeRegressor:
    """A feature lies where the code is that it and nothing else is most like, of those that keyframes show."""

    def __init__(self, map_code: MapCode, rows: np.ndarray) -> None:
        self._map, self._rows = map_code, rows
        self._keys = map_code.descriptors(rows)

    @classmethod
    def of_keyframes(cls, map_code: MapCode, keyframes: np.ndarray, camera: Camera) -> KeyframeRegressor | None:
        """Return the regressor of the codes that a camera at live keyframes (K,) should see; None for too many."""
        table, rows = map_code.keyframes, np.zeros(0, np.int64)
        keyframes = keyframes[table.live[keyframes]]
        for scene, world_T_cam in zip(table["keyframe_scenes"][keyframes].tolist(),
                                      se3.from_quaternions(table["keyframe_poses"][keyframes])):
            shown, _ = visible_codes(map_code, camera.pinhole(), se3.inverse(world_T_cam), 0.0, scene)
            rows = union(rows, shown)
            if len(rows) > MAX_CODES:
                return None
        return cls(map_code, rows) if len(rows) else None

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the positions of codes that are a feature's nearest and it theirs."""
        found, code, _ = mutual_matches(features.descriptors, self._keys, MIN_SIMILARITY)
        rows = self._rows[code]
        return SceneCoordinates(found, self._map.codes["positions_m"][rows], self._map.codes["sigmas_m"][rows],
                                np.zeros(len(found), np.float32), rows)
