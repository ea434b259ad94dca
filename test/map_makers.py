"""Small maps for tests, without an encoder."""

from __future__ import annotations

import numpy as np

from cl_localization.config import MapCodeConfig
from cl_localization.map.map_code import MapCode, NewCodes

DIM = 8


def empty_map(encoder: str = "xfeat", dim: int = DIM) -> MapCode:
    """A map without codes."""
    return MapCode(MapCodeConfig(), encoder, dim)


def grow(map_code: MapCode, count: int = 5, seed: int = 0) -> None:
    """Add a keyframe with some codes in cells of their own."""
    random = np.random.default_rng(seed + 1000 * map_code.version)
    descriptors = random.normal(size=(count, map_code.dim)).astype(np.float32)
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    world_T_cam = np.eye(4)
    world_T_cam[:3, 3] = random.normal(size=3)
    keyframe = map_code.add_keyframe(world_T_cam, 10**9 * (map_code.version + 1), map_code.scene_number("kitchen"))
    positions_m = random.uniform(-5, 5, (count, 3)).astype(np.float32)
    map_code.insert(NewCodes(descriptors, positions_m, np.full(count, 0.01, np.float32)), keyframe)


def assert_same_map(first: MapCode, second: MapCode) -> None:
    """Both maps hold exactly the same."""
    one, other = first.delta_since(0), second.delta_since(0)
    for name in ("map_id", "version", "scene_names", "cell_size_m"):
        assert getattr(one, name) == getattr(other, name), name
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(values, other.arrays()[name], err_msg=name)
