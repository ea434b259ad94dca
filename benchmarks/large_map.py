"""A map as large as a building, made of one room again and again; every room looks different."""

from __future__ import annotations

import numpy as np

from cl_localization.map.map_code import MapCode
from cl_localization.map.map_delta import KEYFRAME_TYPES, ROW_TYPES

SPACING_M = 8.0
STAMP_STEP_NS = 10**13


def repeated(room: MapCode, copies: int, seed: int = 0) -> MapCode:
    """Return a map of one scene with a room as it is, and copies of it beside it in rows.

    The numbers of each copy's descriptors are in another order, with other signs: they are as much alike among each
    other as those of the room, and nothing of a copy looks like it.
    """
    random, side = np.random.default_rng(seed), int(np.ceil(np.sqrt(copies)))
    building = MapCode(room.config, room.encoder, room.dim)
    building.set_cell_size(room.cell_size_m)
    building.scene_number("building")
    building.version = 1
    rows, keyframes = room.codes.rows(), room.keyframes.rows()
    for copy in range(copies):
        offset_m = SPACING_M * np.array([copy % side, 0, copy // side])
        codes = {name: room.codes[name][rows] for name in ROW_TYPES}
        frames = {name: room.keyframes[name][keyframes] for name in KEYFRAME_TYPES}
        codes["positions_m"] = codes["positions_m"] + offset_m
        codes["anchors"] = np.searchsorted(keyframes, codes["anchors"]) + copy * len(keyframes)
        codes["scenes"], frames["keyframe_scenes"] = codes["scenes"] * 0, frames["keyframe_scenes"] * 0
        frames["keyframe_poses"] = frames["keyframe_poses"] + np.append(offset_m, np.zeros(4))
        frames["keyframe_stamps_ns"] = frames["keyframe_stamps_ns"] + copy * STAMP_STEP_NS
        if copy:
            codes["keys"] = _disguised(codes["keys"], random)
            frames["keyframe_descriptors"] = _disguised(frames["keyframe_descriptors"], random)
        building.codes.put(copy * len(rows) + np.arange(len(rows)), 1, **codes)
        building.keyframes.put(copy * len(keyframes) + np.arange(len(keyframes)), 1, **frames)
    return building


def _disguised(descriptors: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return int8 descriptors (N, D) with their numbers in another order and with other signs, the same for all."""
    dim = descriptors.shape[1]
    return descriptors[:, random.permutation(dim)] * random.choice(np.array([-1, 1], np.int8), dim)
