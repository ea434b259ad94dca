"""Summary of a map's contents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cl_localization.map.map_code import MapCode


@dataclass(frozen=True)
class SceneContents:
    """One scene of a map.

    Attributes:
        name: name of the scene.
        codes, keyframes: their numbers.
        size_bytes: its share of the map's memory, by codes.
        low_m, high_m: corners of the bounding box of its codes, in the map frame; None without codes.
        mean_sigma_m: mean position standard deviation of its codes; None without codes.
    """

    name: str
    codes: int
    keyframes: int
    size_bytes: int
    low_m: tuple[float, ...] | None
    high_m: tuple[float, ...] | None
    mean_sigma_m: float | None


@dataclass(frozen=True)
class MapContents:
    """A map and its scenes; for the fields see `MapCode`."""

    map_id: str
    version: int
    encoder: str
    dim: int
    frame_id: str
    cell_size_m: float
    codes: int
    keyframes: int
    size_bytes: int
    scenes: tuple[SceneContents, ...]


def map_contents(map_code: MapCode) -> MapContents:
    """Return the contents of a map."""
    snapshot = map_code.delta_since(0)
    scenes = tuple(_scene_contents(map_code, snapshot, index) for index in range(len(snapshot.scene_names)))
    return MapContents(
        map_id=map_code.map_id, version=map_code.version, encoder=snapshot.encoder, dim=snapshot.dim,
        frame_id=snapshot.frame_id, cell_size_m=float(snapshot.cell_size_m), codes=len(map_code),
        keyframes=len(snapshot.keyframe_ids), size_bytes=int(map_code.size_bytes), scenes=scenes)


def _scene_contents(map_code: MapCode, snapshot: Any, index: int) -> SceneContents:
    """Return the contents of one scene of a map's snapshot."""
    inside = np.asarray(snapshot.scenes) == index
    codes, keyframes = int(inside.sum()), int((np.asarray(snapshot.keyframe_scenes) == index).sum())
    size_bytes = round(map_code.size_bytes * codes / max(len(inside), 1))
    if codes == 0:
        return SceneContents(snapshot.scene_names[index], 0, keyframes, size_bytes, None, None, None)
    positions_m = snapshot.positions_m[inside]
    return SceneContents(
        snapshot.scene_names[index],
        codes,
        keyframes,
        size_bytes,
        tuple(positions_m.min(axis=0).tolist()),
        tuple(positions_m.max(axis=0).tolist()),
        float(np.mean(snapshot.sigmas_m[inside], dtype=float)),
    )
