"""The map: a growing set of codes, each a descriptor key with a 3D position.

ACE-G (Bruns et al., ICCV 2025) splits a scene coordinate regressor into shared weights and a scene-specific map code.
There the map code is a fixed set of learned vectors; here it grows with the mapped space and its appearances.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from cl_localization.config import MAX_SCENE_NAME, MapCodeConfig
from cl_localization.errors import MapError
from cl_localization.features.encoder import quantized, unit_descriptors
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.map.code_blocks import CodeBlocks
from cl_localization.map.coverage import least_covering
from cl_localization.map.map_delta import KEYFRAME_TYPES, ROW_TYPES, MapDelta
from cl_localization.map.table import Table

COVERAGE_REGION_CELLS = 16
"""Edge of a coverage region, in cells: about 0.3 m."""

SCENE_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd number that spreads scene numbers over all bits of a cell label."""

MAX_SCENES = 65536

FEW_CODES = 60_000
"""So many are looked at all at once as quickly as by blocks of space."""

MAX_COUNT = np.iinfo(np.uint16).max
SPARSE_ROWS, SPARSE_FACTOR = 1_000_000, 64
"""Largest row number accepted from files and topics: SPARSE_ROWS + SPARSE_FACTOR * rows. Eviction leaves high numbers
for few codes, but a damaged number must not allocate gigabytes."""


@dataclass(frozen=True, eq=False)
class NewCodes:
    """Codes to insert: descriptors (N, D) unit length, positions (N, 3), sigmas (N,) in metres."""

    descriptors: np.ndarray
    positions_m: np.ndarray
    sigmas_m: np.ndarray

    def select(self, rows: np.ndarray) -> NewCodes:
        """Return a subset of the codes, by mask or index."""
        return NewCodes(self.descriptors[rows], self.positions_m[rows], self.sigmas_m[rows])


class MapCode:
    """Codes and keyframes of one map, with a version that is incremented with every change.

    Attributes:
        map_id: id of the map; kept when it is loaded or received, new when it is extended, see `fork`.
        parent_id, parent_version: id and version of the map that this one extends; empty and 0 for none.
        version: incremented by every call that changes the map.
        encoder, dim: name of the descriptors' encoder, and their length.
        codes, keyframes: the tables; read them through the properties below.
        health: what its mapper found wrong with it, as JSON values; see `mapping.audit`. Empty: not known.
        temperature: 0 where codes were grown; where they were learned, see `map.learned_codes`.
    """

    def __init__(self, config: MapCodeConfig, encoder: str, dim: int, map_id: str | None = None) -> None:
        self.config = config
        self.encoder, self.dim = encoder, dim
        self.map_id, self.parent_id, self.parent_version = map_id or uuid.uuid4().hex, "", 0
        self.frame_id = "map"
        self.version = 0
        self.cell_size_m = config.cell_size_m
        self.scene_names: list[str] = []
        self.health: dict[str, Any] = {}
        self.temperature = 0.0
        self.codes = Table({name: (kind, dim if width < 0 else width) for name, (kind, width) in ROW_TYPES.items()})
        self.keyframes = Table(KEYFRAME_TYPES)
        self._oldest_delta = 0
        self._poses = (-1, np.zeros((0, 4, 4)))
        self._blocks: CodeBlocks | None = None
        self._cells = (-1, -1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        scenes = ", ".join(self.scene_names) or "no scene"
        return (f"<MapCode {self.map_id[:8]} version {self.version}: {len(self):,} codes of {len(self.keyframes):,} "
                f"keyframes in {scenes}, {self.size_bytes:,} bytes, {self.encoder}>")

    @property
    def size_bytes(self) -> int:
        """Size of codes and keyframes, in memory and in the file."""
        return len(self.codes) * self.codes.row_bytes + len(self.keyframes) * self.keyframes.row_bytes

    @property
    def positions_m(self) -> np.ndarray:
        """Positions (M, 3) float32 of the live codes, in the order of `codes.rows()`."""
        return self.codes["positions_m"][self.codes.rows()]

    @property
    def keyframe_world_T_cam(self) -> np.ndarray:
        """Poses (K, 4, 4) of the live keyframes, in the order of `keyframes.rows()`; read-only."""
        if self._poses[0] != self.version:
            self._poses = (self.version, se3.from_quaternions(self.keyframes["keyframe_poses"][self.keyframes.rows()]))
        return self._poses[1]

    @property
    def scenes_in_use(self) -> list[int]:
        """Numbers of the scenes with keyframes, ascending."""
        return [int(scene) for scene in np.unique(self.keyframes["keyframe_scenes"][self.keyframes.rows()])]

    def pose_of(self, keyframes: int | np.ndarray) -> np.ndarray:
        """Return the pose (4, 4) of a live keyframe by its number, or those (K, 4, 4) of several."""
        return self.keyframe_world_T_cam[np.searchsorted(self.keyframes.rows(), keyframes)]

    def keyframes_of(self, scene: int) -> np.ndarray:
        """Return the numbers of the live keyframes of a scene, ascending."""
        return np.flatnonzero(self.keyframes.live & (self.keyframes["keyframe_scenes"] == scene))

    def rows_of(self, scene: int | None) -> np.ndarray:
        """Return the numbers of the live codes of a scene (None: all scenes), ascending."""
        if scene is None or len(self.scene_names) == 1:
            return self.codes.rows()
        return np.flatnonzero(self.codes.live & (self.codes["scenes"] == scene))

    def rows_in_view(self, camera: Camera, cam_T_world: np.ndarray, margin_px: float, scene: int | None,
                     max_farther: float) -> np.ndarray:
        """Return the numbers of live codes, ascending: all that a camera may see, and others; see `CodeBlocks`."""
        if len(self.codes.live) <= FEW_CODES:
            return self.rows_of(scene)
        if self._blocks is None:
            self._blocks = CodeBlocks(self.codes, self.keyframes, self.cell_size_m)
        return self._blocks.in_view(self.version, camera, cam_T_world, margin_px, scene, max_farther)

    def descriptors(self, rows: np.ndarray) -> np.ndarray:
        """Return the keys of codes as unit descriptors (N, D) float32."""
        return unit_descriptors(self.codes["keys"][rows])

    def scene_number(self, name: str) -> int:
        """Return the number of a scene; a new name gets a new one.

        Raises:
            MapError: an empty or too long name, or too many scenes.
        """
        if name in self.scene_names:
            return self.scene_names.index(name)
        if not 1 <= len(name) <= MAX_SCENE_NAME:
            raise MapError("name of the scene", f"must have 1 to {MAX_SCENE_NAME} characters", len(name),
                           "choose another name")
        if len(self.scene_names) >= MAX_SCENES:
            raise MapError("map", f"must have at most {MAX_SCENES} scenes", f"one more, {name!r}", "start another map")
        self.scene_names.append(name)
        return len(self.scene_names) - 1

    def fork(self) -> MapCode:
        """Give this map a new id, with the old one as parent, and return it.

        Call it before extending a map that also exists elsewhere, in a file or in another mapper: else the same id and
        version could stand for different contents.
        """
        self.map_id, self.parent_id, self.parent_version = uuid.uuid4().hex, self.map_id, self.version
        return self

    def set_cell_size(self, cell_size_m: float) -> None:
        """Set the edge of the voxel cells; raises MapError if the map has codes."""
        if len(self):
            raise MapError("cell size", "can only be set while the map is empty", f"{len(self)} codes")
        self.cell_size_m = float(cell_size_m)

    def add_keyframe(self, world_T_cam: np.ndarray, stamp_ns: int, scene: int, variance_factor: float = 0.0,
                     descriptor: np.ndarray | int = 0) -> int:
        """Add a keyframe and return its number.

        Args:
            variance_factor: see `covariance_calibration`; 0: unknown.
            descriptor: (256,) int8 of the whole image; 0: unknown.
        """
        self.version += 1
        row = self.keyframes.allocate(1)
        self.keyframes.put(row, self.version, keyframe_poses=se3.to_quaternions(world_T_cam[None]),
                           keyframe_stamps_ns=stamp_ns, keyframe_scenes=scene,
                           keyframe_variance_factors=variance_factor, keyframe_descriptors=descriptor)
        return int(row[0])

    def set_variance_factors(self, keyframes: np.ndarray, factors: np.ndarray) -> None:
        """Set the variance factors (K,) of live keyframes (K,)."""
        self.version += 1
        self.keyframes.put(keyframes, self.version, keyframe_variance_factors=factors)

    def move_keyframe(self, keyframe: int, world_T_cam: np.ndarray) -> None:
        """Set the pose of a keyframe; its codes do not move."""
        self.version += 1
        self.keyframes.put(np.array([keyframe]), self.version, keyframe_poses=se3.to_quaternions(world_T_cam[None]))

    def move_keyframes(self, keyframes: np.ndarray, world_T_cam: np.ndarray, scales: np.ndarray | None = None) -> None:
        """Set the poses (K, 4, 4) of distinct live keyframes (K,), and move the codes anchored to them, as one version.

        Args:
            scales: (K,) by which the distances of these codes from their keyframe grow; none by default.

        A cell that then has more codes than allowed keeps them, as the next correction may separate them again.
        """
        if len(keyframes) == 0:
            return
        growth = np.ones(len(keyframes)) if scales is None else scales
        before = se3.from_quaternions(self.keyframes["keyframe_poses"][keyframes])
        correction = se3.similarity(world_T_cam, growth) @ se3.inverse(before)
        self.version += 1
        place = np.full(len(self.keyframes.live), -1, np.int64)
        place[keyframes] = np.arange(len(keyframes))
        rows = self.codes.rows()
        moving = place[self.codes["anchors"][rows]]
        rows, moving = rows[moving >= 0], moving[moving >= 0]
        turned = np.einsum("nij,nj->ni", correction[moving, :3, :3], self.codes["positions_m"][rows].astype(np.float64))
        self.codes.put(rows, self.version, positions_m=turned + correction[moving, :3, 3],
                       sigmas_m=self.codes["sigmas_m"][rows] * growth[moving])
        self.keyframes.put(keyframes, self.version, keyframe_poses=se3.to_quaternions(world_T_cam))

    def join_scene(self, scene: int, into: int) -> None:
        """Have the keyframes and codes of one scene belong to another; its name stays, with nothing in it."""
        self.version += 1
        for table, column in ((self.keyframes, "keyframe_scenes"), (self.codes, "scenes")):
            rows = np.flatnonzero(table.live & (table[column] == scene))
            table.put(rows, self.version, **{column: into})

    def insert(self, new: NewCodes, keyframe: int) -> np.ndarray:
        """Insert the codes observed from a keyframe whose cell has room for another mode.

        Returns:
            (N,) int64 the row of each new code; -1 if its cell is full.
        """
        self.version += 1
        rows = np.full(len(new.positions_m), -1, np.int64)
        scene = int(self.keyframes["keyframe_scenes"][keyframe])
        fits = self._room_in_cells(new.positions_m, scene)
        rows[fits] = self.codes.allocate(int(fits.sum()))
        self.codes.put(rows[fits], self.version, keys=quantized(new.descriptors[fits]),
                       positions_m=new.positions_m[fits], sigmas_m=new.sigmas_m[fits], seen=1,
                       stamps_s=self._stamp_s(keyframe), scenes=scene, anchors=keyframe)
        return rows

    def _stamp_s(self, keyframe: int) -> int:
        return int(np.clip(self.keyframes["keyframe_stamps_ns"][keyframe] // 10**9, 0, 2**32 - 1))

    def cells(self, positions_m: np.ndarray) -> np.ndarray:
        """Return the cell label (N,) int64 of positions (N, 3)."""
        return cell_labels(positions_m, self.cell_size_m)

    def _room_in_cells(self, positions_m: np.ndarray, scene: int) -> np.ndarray:
        """Return the mask of positions (N, 3), in order, whose cell has room for another mode of the scene."""
        version, of_scene, existing = self._cells
        if (version, of_scene) != (self.version - 1, scene):
            existing = np.sort(self.cells(self.codes["positions_m"][self.rows_of(scene)]))
        cells = self.cells(positions_m)
        taken = np.searchsorted(existing, cells, "right") - np.searchsorted(existing, cells, "left")
        order = np.argsort(cells, kind="stable")
        taken[order] += np.arange(len(cells)) - np.searchsorted(cells[order], cells[order])
        fits = taken < self.config.modes_per_cell
        added = np.sort(cells[fits])
        self._cells = self.version, scene, np.insert(existing, np.searchsorted(existing, added), added)
        return fits

    def merge(self, rows: np.ndarray, seen: NewCodes, keyframe: int) -> None:
        """Merge observations (N,) into distinct codes (N,): positions weighted by inverse variance, keys by count."""
        if len(rows) == 0:
            return
        self.version += 1
        count = self.codes["seen"][rows].astype(np.float32)
        weight = np.minimum(count, 20.0)[:, None]
        keys = self.descriptors(rows) * weight + seen.descriptors
        old, new = self.codes["sigmas_m"][rows] ** -2.0, seen.sigmas_m**-2.0
        share = (new / (old + new))[:, None]
        positions = self.codes["positions_m"][rows]
        self.codes.put(rows, self.version, keys=quantized(keys / np.linalg.norm(keys, axis=1, keepdims=True)),
                       positions_m=positions + share * (seen.positions_m - positions), sigmas_m=(old + new) ** -0.5,
                       seen=np.minimum(count + 1, MAX_COUNT), stamps_s=self._stamp_s(keyframe))

    def move(self, rows: np.ndarray, positions_m: np.ndarray, sigmas_m: np.ndarray) -> None:
        """Set the positions (N, 3) and sigmas (N,) of codes."""
        self.version += 1
        self.codes.put(rows, self.version, positions_m=positions_m, sigmas_m=sigmas_m)

    def describe(self, rows: np.ndarray, descriptors: np.ndarray, seen: np.ndarray) -> None:
        """Set the unit descriptors (N, D) of codes and in how many views each was seen (N,)."""
        self.version += 1
        self.codes.put(rows, self.version, keys=quantized(descriptors), seen=np.clip(seen, 1, MAX_COUNT))

    def remove(self, rows: np.ndarray) -> None:
        """Remove codes."""
        self.version += 1
        self.codes.remove(rows, self.version)

    def evict_to_budget(self) -> int:
        """Evict codes by least coverage until the map fits its budget, and keyframes that lose their last code.

        Keyframes that never had codes are evicted last, since their views would become new views again.

        Returns:
            The number of evicted codes.
        """
        budget_bytes = int(self.config.budget_mb * 1e6)
        excess = self.size_bytes - budget_bytes
        if excess <= 0:
            return 0
        rows = self.codes.rows()
        count = min(len(rows), -(-excess // self.codes.row_bytes))
        regions = cell_labels(self.codes["positions_m"][rows], self.cell_size_m * COVERAGE_REGION_CELLS,
                              self.codes["scenes"][rows])
        evicted = rows[least_covering(regions, self.codes["seen"][rows].astype(np.float64), count)]
        self.remove(evicted)
        anchoring = self.codes["anchors"][self.codes.rows()]
        self.keyframes.remove(np.setdiff1d(self.codes["anchors"][evicted], anchoring), self.version)
        excess = self.size_bytes - budget_bytes
        if excess > 0:
            idle = np.setdiff1d(self.keyframes.rows(), anchoring)
            oldest = np.argsort(self.keyframes["keyframe_stamps_ns"][idle], kind="stable")
            self.keyframes.remove(idle[oldest[:-(-excess // self.keyframes.row_bytes)]], self.version)
        return count

    def delta_since(self, version: int) -> MapDelta:
        """Return the changes after `version`; a snapshot if that is 0 or older than this copy's history."""
        base = version if self._oldest_delta <= version <= self.version else 0
        changed, removed = self.codes.changed_since(base) if base else (self.codes.rows(), np.zeros(0, np.int64))
        frames, removed_frames = (self.keyframes.changed_since(base) if base else
                                  (self.keyframes.rows(), np.zeros(0, np.int64)))
        return MapDelta(
            self.map_id, self.encoder, self.dim, self.frame_id, self.cell_size_m, base, self.version,
            list(self.scene_names), ids=changed.astype(np.uint32), removed_ids=removed.astype(np.uint32),
            keyframe_ids=frames.astype(np.uint32), removed_keyframe_ids=removed_frames.astype(np.uint32),
            **{name: self.codes.taken(name, changed) for name in ROW_TYPES},
            **{name: self.keyframes.taken(name, frames) for name in KEYFRAME_TYPES}, parent_id=self.parent_id,
            parent_version=self.parent_version, health=self.health, temperature=self.temperature)

    def apply(self, delta: MapDelta) -> None:
        """Apply a delta to this copy.

        Raises:
            MapError: the delta belongs to another map, starts after this copy's version, ends before it, or is damaged.
                The copy is unchanged.
        """
        if delta.map_id != self.map_id or delta.encoder != self.encoder or delta.dim != self.dim:
            raise MapError("map code delta", f"must belong to map {self.map_id} of {self.encoder}",
                           f"{delta.map_id} of {delta.encoder}", "use a snapshot of the new map")
        if delta.base_version > self.version:
            raise MapError("map code delta", f"must start at version {self.version} or before", delta.base_version,
                           "a message was lost: use a snapshot")
        if delta.version < self.version:
            raise MapError("map code delta", f"must not end before version {self.version}", delta.version,
                           "it is outdated; to go back, make a new map from a snapshot")
        delta.validate(_largest_number(max(np.size(delta.ids), len(self.codes.live))))
        known = delta.keyframe_ids if delta.base_version == 0 else np.union1d(self.keyframes.rows(), delta.keyframe_ids)
        if not np.isin(delta.anchors, known).all():
            raise MapError("map code anchors", "must be keyframes of the map", "an unknown keyframe",
                           "the message or file is damaged")
        if delta.base_version == 0:
            self.codes.remove(self.codes.rows(), delta.version)
            self.keyframes.remove(self.keyframes.rows(), delta.version)
            self._oldest_delta = delta.version
        self.codes.remove(delta.removed_ids, delta.version)
        self.keyframes.remove(delta.removed_keyframe_ids, delta.version)
        self.codes.put(delta.ids, delta.version, **{name: getattr(delta, name) for name in ROW_TYPES})
        self.keyframes.put(delta.keyframe_ids, delta.version, **{name: getattr(delta, name) for name in KEYFRAME_TYPES})
        self.scene_names, self.cell_size_m = list(delta.scene_names), delta.cell_size_m
        self._poses, self.temperature = (-1, self._poses[1]), delta.temperature
        self.version = delta.version  # last: another thread that sees the version finds all of it

    @classmethod
    def from_snapshot(cls, delta: MapDelta, config: MapCodeConfig) -> MapCode:
        """Return the map of a snapshot; raises MapError if the delta is no snapshot or is damaged."""
        if delta.base_version != 0:
            raise MapError("map code", "must be a snapshot (base version 0)", f"base version {delta.base_version}")
        delta.validate(_largest_number(np.size(delta.ids)))
        map_code = cls(config, delta.encoder, delta.dim, delta.map_id)
        map_code.frame_id, map_code.health = delta.frame_id, delta.health
        map_code.parent_id, map_code.parent_version = delta.parent_id, delta.parent_version
        map_code.apply(delta)
        return map_code


def _largest_number(rows: int) -> int:
    """Return the largest code number allowed in a file or message with `rows` codes."""
    return SPARSE_ROWS + SPARSE_FACTOR * rows


def cell_labels(positions_m: np.ndarray, cell_size_m: float, scenes: np.ndarray | int = 0) -> np.ndarray:
    """Return the int64 label (N,) of the voxel cell of positions (N, 3), 21 bits per axis.

    Args:
        scenes: scene numbers (N,), or one for all; the same cell has different labels in different scenes.
    """
    cells = np.floor(positions_m.astype(np.float64) / cell_size_m).astype(np.int64) & 0x1FFFFF
    labels = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    return labels ^ (np.atleast_1d(np.asarray(scenes, np.uint64)) * SCENE_MIX).astype(np.int64)
