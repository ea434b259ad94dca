"""Approximate nearest-neighbour search of codes by descriptor, in the whole map or in covisible codes only.

Keyframes are grouped into regions: a new keyframe joins the nearest region of its scene, or starts one if all are far.
A code belongs to the region of its anchor keyframe, also after pose corrections. Each region has its own index, built
at its first search, so that time and recall of a search do not depend on the size of the map.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import faiss
import numpy as np

from cl_localization.geometry import se3
from cl_localization.map.clusters import Clustering, clustered
from cl_localization.map.map_code import MapCode

MIN_CLUSTERED = 4096
"""With fewer codes than this, exact search is as fast."""

GROWTH = 2.0
"""The clusters are rebuilt when the number of codes has grown by this factor."""

MAX_AT_ONCE = 60_000
"""So many codes are clustered within some tenths of a second; more are left to a thread where that is asked for."""


LARGE, LARGE_COUNT = 60_000, 8
"""In more codes than this, so many are searched at once as any regressor asks for: that takes hardly longer than one,
and twice would be a tenth of a second."""


class CodeSearch(Protocol):
    """Finds the codes nearest to descriptors, in a map or a part of it."""

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; padded with similarity and row -1."""
        ...


class _Answer(NamedTuple):
    """What was asked last, descriptors (N, D), and found: (N, count) and (N, count), see `CodeSearch`."""

    asked: np.ndarray
    similarity: np.ndarray
    rows: np.ndarray


class CodeIndex:
    """Inverted-file search over the codes of a map, updated incrementally.

    Changed codes are moved to the list of their nearest cluster; the clusters are only rebuilt when the map has grown.
    Descriptors have unit length, so the inner product gives the same order as the distance.
    """

    def __init__(self, map_code: MapCode, members: Callable[[], np.ndarray] | None = None,
                 in_background: bool = False) -> None:
        """Create an index of a map's codes.

        Args:
            members: returns the mask of rows to index, None: all codes.
            in_background: whether many codes are clustered in a thread; until that is done the clusters before serve,
                and where there are none, nothing is found.
        """
        self._map = map_code
        self._members = members or (lambda: map_code.codes.live)
        self._at_once = MAX_AT_ONCE if in_background else np.inf
        self._making: Clustering | None = None
        self._version = -1
        self._index: faiss.Index
        self._answer: _Answer | None = None
        self._clear()

    @property
    def is_ready(self) -> bool:
        """Whether all codes of the newest version that was searched can be found."""
        return self._making is None

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """See `CodeSearch`; what is asked once more, by another regressor or together with others, is not searched
        again."""
        if self._making is not None and self._making.index.done():
            self._take(self._making)
        if self._map.version != self._version:
            self._follow()
        asked = np.array(descriptors, np.float32, order="C")
        known = self._known(asked, count)
        if known is None:
            known = self._searched(asked, max(count, LARGE_COUNT if self._clustered_for > LARGE else 0))
        self._answer = known
        return known.similarity[:, :count], known.rows[:, :count]

    def _known(self, asked: np.ndarray, count: int) -> _Answer | None:
        """Return the answer where these descriptors, or evenly chosen ones of them, were asked last."""
        known = self._answer
        if known is None or known.rows.shape[1] < count:
            return None
        every = -(-len(asked) // max(len(known.asked), 1))
        if not np.array_equal(known.asked, asked[::max(every, 1)]):
            return None
        return known if every <= 1 else self._with_rest(known, asked, every)

    def _searched(self, asked: np.ndarray, count: int) -> _Answer:
        similarity, rows = self._index.search(asked, count)
        return _Answer(asked, np.where(rows < 0, -1, similarity), rows)

    def _with_rest(self, known: _Answer, asked: np.ndarray, every: int) -> _Answer:
        """Return the answer for descriptors, given that for one in so many."""
        is_known = np.arange(len(asked)) % every == 0
        rest = self._searched(asked[~is_known], known.rows.shape[1])
        similarity, rows = (np.empty((len(asked), part.shape[1]), part.dtype) for part in known[1:])
        similarity[is_known], similarity[~is_known] = known.similarity, rest.similarity
        rows[is_known], rows[~is_known] = known.rows, rest.rows
        return _Answer(asked, similarity, rows)

    def _follow(self) -> None:
        """Update the index to the map's version."""
        self._answer = None
        members = self._members().copy()
        size = int(np.count_nonzero(members))
        if size <= MIN_CLUSTERED:
            self._clear()
            self._making, rows = None, np.flatnonzero(members)
            self._index.add_with_ids(self._map.descriptors(rows), rows)
            self._held = members
        elif size <= GROWTH * self._clustered_for:
            self._update(members)
        else:
            self._cluster(members, size)
        self._version = self._map.version

    def _cluster(self, members: np.ndarray, size: int) -> None:
        """Make new clusters, or begin to."""
        rows = np.flatnonzero(members)
        if size <= self._at_once:
            self._index = clustered(self._map.codes.taken("keys", rows), rows)
            self._held, self._clustered_for, self._making = members, size, None
            return
        if self._making is None:
            self._making = Clustering.begin(self._map.codes.taken("keys", rows), members, self._map.version)
        if self._clustered_for:
            self._update(members)
        else:
            self._clear()

    def _take(self, made: Clustering) -> None:
        """Use clusters that were made from an earlier version of the map."""
        self._answer = None
        self._index, self._held, self._version = made.index.result(), made.members, made.version
        self._clustered_for, self._making = int(np.count_nonzero(made.members)), None

    def _clear(self) -> None:
        """Hold no codes."""
        self._index = faiss.IndexIDMap(faiss.IndexFlatIP(self._map.dim))
        self._held, self._clustered_for = np.zeros(0, bool), 0

    def _update(self, members: np.ndarray) -> None:
        changed, _ = self._map.codes.changed_since(self._version)
        changed = changed[members[changed]]
        removed = np.flatnonzero(self._held & ~members[:len(self._held)])
        moved = changed[changed < len(self._held)]
        outdated = np.concatenate([removed, moved[self._held[moved]]])
        self._index.remove_ids(faiss.IDSelectorArray(outdated))
        self._index.add_with_ids(self._map.descriptors(changed), changed)
        self._held = members


REGION_RADIUS_CELLS = 250.0
"""A keyframe farther than this from the first keyframe of every region of its scene starts a new region: 5 m with
cells of 2 cm. In cells, as the scale of a map may be any."""

TURN_COST_CELLS_PER_RAD = 50.0
SAME_VIEW_CELLS = 50.0
"""Keyframes within this distance, including the cost of rotation, are assumed to be covisible."""


NEW_REGIONS = 2
"""So many regions are indexed for one image where it must not wait; the others are at the images that follow."""


class CovisibleCodes:
    """Search in the codes covisible with given keyframes, through the regions of a map."""

    def __init__(self, map_code: MapCode, in_background: bool = False) -> None:
        """Make a search for a map; see `CodeIndex`."""
        self._map, self._in_background = map_code, in_background
        self._version = -1
        self._region_of = np.zeros(0, np.int64)
        self._stamps_ns = np.zeros(0, np.int64)
        self._starts_m, self._scenes = np.zeros((0, 3)), np.zeros(0, np.int64)
        self._indexes: dict[int, CodeIndex] = {}

    def around(self, keyframes: np.ndarray) -> CodeSearch | None:
        """Return a search in the regions of live keyframes (K,) and their neighbours; None if that is the whole map."""
        self._follow()
        chosen = np.unique(self._region_of[self._with_neighbours(keyframes)])
        if len(chosen) == 0 or len(chosen) == len(np.unique(self._region_of[self._map.keyframes.rows()])):
            return None
        if self._in_background:
            is_new = np.array([region not in self._indexes for region in chosen.tolist()])
            chosen = np.concatenate([chosen[~is_new], chosen[is_new][:NEW_REGIONS]])
        return _Merged([self._index_of(int(region)) for region in chosen])

    def _with_neighbours(self, keyframes: np.ndarray) -> np.ndarray:
        """Return keyframes and those of their scenes with nearly the same pose."""
        rows, poses = self._map.keyframes.rows(), self._map.keyframe_world_T_cam
        scenes = self._map.keyframes["keyframe_scenes"]
        near = np.isin(rows, keyframes)
        for keyframe in keyframes:
            here = poses[np.searchsorted(rows, keyframe)]
            apart_cells = np.linalg.norm(poses[:, :3, 3] - here[:3, 3], axis=1) / self._map.cell_size_m
            close = np.flatnonzero((apart_cells < SAME_VIEW_CELLS) & (scenes[rows] == scenes[keyframe]))
            turn = np.deg2rad(se3.rotation_angle_deg(np.swapaxes(poses[close, :3, :3], 1, 2) @ here[:3, :3]))
            near[close] |= apart_cells[close] + TURN_COST_CELLS_PER_RAD * turn < SAME_VIEW_CELLS
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
        apart_m = np.where(self._scenes == scene, np.linalg.norm(self._starts_m - position_m, axis=1), np.inf)
        if len(apart_m) and apart_m.min() <= REGION_RADIUS_CELLS * self._map.cell_size_m:
            return int(apart_m.argmin())
        self._starts_m, self._scenes = np.vstack([self._starts_m, position_m]), np.append(self._scenes, scene)
        return len(self._scenes) - 1

    def _index_of(self, region: int) -> CodeIndex:
        if region not in self._indexes:
            codes = self._map.codes
            self._indexes[region] = CodeIndex(self._map, lambda: codes.live
                                              & (self._region_of[codes["anchors"]] == region), self._in_background)
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
