"""Learned codes: a map's codes as few vectors that a feature attends to, all of them at once.

A map has learned codes when its temperature is above 0. The keys of its codes are then int8 vectors of any length, and
a feature's logit for a code is temperature * <feature, key>: the one number holds the scale of all keys. Positions are
not those of things; a feature's answer lies between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.map.map_code import MapCode

KEY_LIMIT = 127.0

TEXT_BYTES = 4000
"""Room for the texts of a map file."""


@dataclass(frozen=True, eq=False)
class LearnedArrays:
    """Learned codes as arrays.

    Attributes:
        keys: (M, D) float32; a feature's logit is its inner product with a key.
        positions_m: (M, 3) in the map frame.
        scenes: (M,) number of the scene of each.
        usage: (M,) share of the attention that each got, relative to the mean.
    """

    keys: np.ndarray
    positions_m: np.ndarray
    scenes: np.ndarray
    usage: np.ndarray

    def select(self, rows: np.ndarray) -> LearnedArrays:
        """Return some of the codes, by mask or index."""
        return LearnedArrays(self.keys[rows], self.positions_m[rows], self.scenes[rows], self.usage[rows])


def is_learned(map_code: MapCode) -> bool:
    """Return whether the codes of a map are learned, not grown."""
    return map_code.temperature > 0


def require_grown(map_code: MapCode) -> None:
    """Raise MapError for a map of learned codes."""
    if is_learned(map_code):
        raise MapError("map", "must hold grown codes to be extended or compressed", "learned codes",
                       "use the map that they were learned from")


def learned_map_beside(grown: MapCode) -> MapCode:
    """Return an empty map with the scenes, frame and cell size of another, whose codes will be learned."""
    learned = MapCode(MapCodeConfig(), grown.encoder, grown.dim)
    learned.frame_id, learned.cell_size_m = grown.frame_id, grown.cell_size_m
    learned.parent_id, learned.parent_version = grown.map_id, grown.version
    learned.scene_names, learned.temperature = list(grown.scene_names), 1.0
    return learned


def put_learned(map_code: MapCode, codes: LearnedArrays, sigma_m: float) -> None:
    """Replace the codes of a map by learned ones, each anchored to the first keyframe of its scene, as one version.

    Args:
        sigma_m: typical standard deviation of an answer.
    """
    map_code.version += 1
    count, old = len(codes.keys), map_code.codes.rows()
    map_code.codes.remove(old[old >= count], map_code.version)
    keyframes = map_code.keyframes.rows()
    scenes, first = np.unique(map_code.keyframes["keyframe_scenes"][keyframes], return_index=True)
    anchors = keyframes[first[np.searchsorted(scenes, codes.scenes)]]
    map_code.temperature = max(float(np.abs(codes.keys).max()), 1e-6) / KEY_LIMIT
    map_code.codes.put(np.arange(count), map_code.version, keys=np.rint(codes.keys / map_code.temperature),
                       positions_m=codes.positions_m, sigmas_m=sigma_m, scenes=codes.scenes, anchors=anchors,
                       seen=np.clip(np.rint(100 * codes.usage), 1, 65535), stamps_s=0)


def learned_arrays(map_code: MapCode) -> LearnedArrays:
    """Return the codes of a map of learned codes, in the order of `codes.rows()`."""
    rows = map_code.codes.rows()
    keys = map_code.codes["keys"][rows].astype(np.float32) * np.float32(map_code.temperature)
    return LearnedArrays(keys, map_code.positions_m, map_code.codes["scenes"][rows].astype(np.int64),
                         map_code.codes["seen"][rows] / 100.0)


def code_count(map_code: MapCode, size_bytes: int) -> int:
    """Return how many learned codes fit a file of a size, beside a map's keyframes and texts."""
    room = size_bytes - TEXT_BYTES - len(map_code.keyframes) * map_code.keyframes.row_bytes
    return room // map_code.codes.row_bytes
