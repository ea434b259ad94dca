"""Finding the codes nearest to descriptors, approximately, in a map that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import faiss
import numpy as np

from cl_localization.map.map_code import MapCode

MIN_CLUSTERED = 4096
"""Below this many codes exact search is as quick."""

GROWTH = 2.0
"""When the map has this many times as many codes as the clusters were made for, they are made anew."""

PROBES = 8
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40


class CodeSearch(Protocol):
    """Finds the codes nearest to descriptors, in all of a map or a part of it."""

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; row -1 with similarity -1 where there are
        fewer."""
        ...


class CodeIndex:
    """Inverted-file search over the codes of a map, kept up to date with it.

    A change of the map costs what it changed: codes leave the list of their cluster and enter that of the nearest one.
    Only a map that has outgrown its clusters gets new ones. Descriptors are unit length, so the inner product orders as
    the distance does.
    """

    def __init__(self, map_code: MapCode, members: Callable[[], np.ndarray] | None = None) -> None:
        """Make an index of the codes of a map.

        Args:
            members: gives a mask over the rows of the map's table, the codes that belong to the index; None for all.
        """
        self._map = map_code
        self._members = members or (lambda: map_code.codes.live)
        self._version = -1
        self._clustered_for = 0
        self._index: faiss.Index = faiss.IndexIDMap(faiss.IndexFlatIP(map_code.dim))
        self._held = np.zeros(0, bool)

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; row -1 with similarity -1 where there are
        fewer."""
        if self._map.version != self._version:
            self._follow()
        similarity, rows = self._index.search(np.ascontiguousarray(descriptors, np.float32), count)
        return np.where(rows < 0, -1, similarity), rows

    def _follow(self) -> None:
        """Bring the index to the map's version."""
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
        gone = np.flatnonzero(self._held & ~members[:len(self._held)])
        moved = changed[changed < len(self._held)]
        outdated = np.concatenate([gone, moved[self._held[moved]]])
        self._index.remove_ids(faiss.IDSelectorArray(outdated))
        self._index.add_with_ids(self._map.descriptors(changed), changed)
        self._held = members

    def _clusters(self, members: np.ndarray) -> faiss.Index:
        """Return empty clusters made for the codes of a mask."""
        descriptors = self._map.descriptors(np.flatnonzero(members))
        clusters = int(2 * np.sqrt(len(descriptors)))
        dim, half = self._map.dim, faiss.ScalarQuantizer.QT_fp16  # int8 keys lose nothing in it, and it is read sooner
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, clusters, half, faiss.METRIC_INNER_PRODUCT,
                                              False)
        index.cp.niter, index.cp.max_points_per_centroid = KMEANS_ITERATIONS, POINTS_PER_CLUSTER
        index.cp.min_points_per_centroid = 1  # with fewer than this, faiss warns on stderr
        index.train(descriptors)
        index.nprobe = PROBES
        # finds a code's list, so that removing one does not search them all
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
        return index
