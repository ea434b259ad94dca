"""Approximate nearest-neighbour search of codes by descriptor, in the whole map or in covisible codes only.

Keyframes are grouped into regions: a new keyframe joins the nearest region of its scene, or starts one if all are far.
A code belongs to the region of its anchor keyframe, also after pose corrections. Each region has its own index, built
at its first search, so that time and recall of a search do not depend on the size of the map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import faiss
import numpy as np

from cl_localization.geometry import se3
from cl_localization.map.map_code import MapCode

MIN_CLUSTERED = 4096
"""With fewer codes than this, exact search is as fast."""

GROWTH = 2.0
"""The clusters are rebuilt when the number of codes has grown by this factor."""

PROBES = 8
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40


class CodeSearch(Protocol):
    """Finds the codes nearest to descriptors, in a map or a part of it."""

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; padded with similarity and row -1."""
        ...


class CodeIndex:
    """Inverted-file search over the codes of a map, updated incrementally.

    Changed codes are moved to the list of their nearest cluster; the clusters are only rebuilt when the map has grown.
    Descriptors have unit length, so the inner product gives the same order as the distance.
    """

    def __init__(self, map_code: MapCode, members: Callable[[], np.ndarray] | None = None) -> None:
        """Create an index of a map's codes; `members` returns the mask of rows to index, None: all codes."""
        self._map = map_code
        self._members = members or (lambda: map_code.codes.live)
        self._version = -1
        self._clustered_for = 0
        self._index: faiss.Index = faiss.IndexIDMap(faiss.IndexFlatIP(map_code.dim))
        self._held = np.zeros(0, bool)

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See `CodeSearch`."""
        if self._map.version != self._version:
            self._follow()
        similarity, rows = self._index.search(np.ascontiguousarray(descriptors, np.float32), count)
        return np.where(rows < 0, -1, similarity), rows

    def _follow(self) -> None:
        """Update the index to the map's version."""
        members = self._members().copy()
        size = int(np.count_nonzero(members))
        if size <= MIN_CLUSTERED:
            self._fill(faiss.IndexIDMap(faiss.IndexFlatIP(self._map.dim)), members, 0)
        elif size > GROWTH * self._clustered_for:
            self._fill(self._clusters(members), members, size)
        else:
            self._update(members)
        self._version = self._map.version

    def _fill(self, index: faiss.Index, members: np.ndarray, clustered_for: int) -> None:
        rows = np.flatnonzero(members)
        index.add_with_ids(self._map.descriptors(rows), rows)
        self._index, self._clustered_for, self._held = index, clustered_for, members

    def _update(self, members: np.ndarray) -> None:
        changed, _ = self._map.codes.changed_since(self._version)
        changed = changed[members[changed]]
        removed = np.flatnonzero(self._held & ~members[:len(self._held)])
        moved = changed[changed < len(self._held)]
        outdated = np.concatenate([removed, moved[self._held[moved]]])
        self._index.remove_ids(faiss.IDSelectorArray(outdated))
        self._index.add_with_ids(self._map.descriptors(changed), changed)
        self._held = members

    def _clusters(self, members: np.ndarray) -> faiss.Index:
        """Return an empty index with clusters trained on the codes of a mask."""
        descriptors = self._map.descriptors(np.flatnonzero(members))
        clusters = int(2 * np.sqrt(len(descriptors)))
        dim, half = self._map.dim, faiss.ScalarQuantizer.QT_fp16  # fp16 is lossless for int8 keys, and faster
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, clusters, half, faiss.METRIC_INNER_PRODUCT,
                                              False)
        index.cp.niter, index.cp.max_points_per_centroid = KMEANS_ITERATIONS, POINTS_PER_CLUSTER
        index.cp.min_points_per_centroid = 1  # no warnings on stderr
        index.train(descriptors)
        index.nprobe = PROBES
        # maps a code to its list, for fast removal
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        return index


REGION_RADIUS_CELLS = 250.0
"""A keyframe farther than this from the first keyframe of every region of its scene starts a new region: 5 m with
cells of 2 cm. In cells, as the scale of a map may be any."""

TURN_COST_CELLS_PER_RAD = 50.0
SAME_VIEW_CELLS = 50.0
"""Keyframes within this distance, including the cost of rotation, are assumed to be covisible."""


class CovisibleCodes:
    """Search in the codes covisible with given keyframes, through the regions of a map."""

    def __init__(self, map_code: MapCode) -> None:
        self._map = map_code
        self._version = -1
        self._region_of = np.zeros(0, np.int64)
        self._stamps_ns = np.zeros(0, np.int64)
        self._regions: list[tuple[int, np.ndarray]] = []
        self._indexes: dict[int, CodeIndex] = {}

    def around(self, keyframes: np.ndarray) -> CodeSearch | None:
        """Return a search in the regions of live keyframes (K,) and their neighbours; None if that is the whole map."""
        self._follow()
        chosen = np.unique(self._region_of[self._with_neighbours(keyframes)])
        if len(chosen) == 0 or len(chosen) == len(np.unique(self._region_of[self._map.keyframes.rows()])):
            return None
        return _Merged([self._index_of(int(region)) for region in chosen])

    def _with_neighbours(self, keyframes: np.ndarray) -> np.ndarray:
        """Return keyframes and those of their scenes with nearly the same pose."""
        rows, poses = self._map.keyframes.rows(), self._map.keyframe_world_T_cam
        scenes = self._map.keyframes["keyframe_scenes"]
        near = np.isin(rows, keyframes)
        for keyframe in keyframes:
            here = poses[np.searchsorted(rows, keyframe)]
            turn = np.deg2rad(se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ here[:3, :3]))
            apart_cells = (np.linalg.norm(poses[:, :3, 3] - here[:3, 3], axis=1) / self._map.cell_size_m
                           + TURN_COST_CELLS_PER_RAD * turn)
            near |= (apart_cells < SAME_VIEW_CELLS) & (scenes[rows] == scenes[keyframe])
        return rows[near]

    def _follow(self) -> None:
        """Assign new keyframes to regions; a reused number is recognised by its new timestamp."""
        if self._map.version == self._version:
            return
        self._version, table = self._map.version, self._map.keyframes
        extra = len(table.live) - len(self._region_of)
        self._region_of = np.concatenate([self._region_of, np.full(extra, -1, np.int64)])
        self._stamps_ns = np.concatenate([self._stamps_ns, np.zeros(extra, np.int64)])
        self._region_of[~table.live] = -1
        stamps_ns = table["keyframe_stamps_ns"]
        for keyframe in np.flatnonzero(table.live & ((self._region_of < 0) | (stamps_ns != self._stamps_ns))).tolist():
            self._region_of[keyframe] = self._assign(int(table["keyframe_scenes"][keyframe]),
                                                     table["keyframe_poses"][keyframe, :3])
        self._stamps_ns = stamps_ns.copy()

    def _assign(self, scene: int, position_m: np.ndarray) -> int:
        distances_m = [float(np.linalg.norm(start_m - position_m)) if of == scene else np.inf
                       for of, start_m in self._regions]
        nearest = int(np.argmin(distances_m)) if distances_m else -1
        if nearest >= 0 and distances_m[nearest] <= REGION_RADIUS_CELLS * self._map.cell_size_m:
            return nearest
        self._regions.append((scene, position_m.copy()))
        return len(self._regions) - 1

    def _index_of(self, region: int) -> CodeIndex:
        if region not in self._indexes:
            codes = self._map.codes
            self._indexes[region] = CodeIndex(self._map, lambda: codes.live
                                              & (self._region_of[codes["anchors"]] == region))
        return self._indexes[region]


class _Merged:
    """Searches several indexes."""

    def __init__(self, indexes: list[CodeIndex]) -> None:
        self._indexes = indexes

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the best of all; see `CodeSearch`."""
        found = [index.search(descriptors, count) for index in self._indexes]
        similarity, rows = (np.concatenate(parts, axis=1) for parts in zip(*found))
        best = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(similarity, best, axis=1), np.take_along_axis(rows, best, axis=1)
