"""Finding the codes nearest to descriptors, approximately, in a map that changes."""

from __future__ import annotations

import faiss
import numpy as np

from cl_localization.scene_coordinates.map_code import MapCode

MIN_CLUSTERED = 4096
"""Below this many codes exact search is as quick."""

GROWTH = 2.0
"""When the map has this many times as many codes as the clusters were made for, they are made anew."""

PROBES = 8
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40


class CodeIndex:
    """Inverted-file search over the codes of a map, kept up to date with it.

    A change of the map costs what it changed: codes leave the list of their cluster and enter that of the nearest one. Only a
    map that has outgrown its clusters gets new ones. Descriptors are unit length, so the inner product orders as the distance does.
    """

    def __init__(self, map_code: MapCode) -> None:
        self._map = map_code
        self._version = -1
        self._clustered_for = 0
        self._index: faiss.Index = faiss.IndexIDMap(faiss.IndexFlatIP(map_code.dim))
        self._held = np.zeros(0, bool)

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; row -1 with similarity -1 where there are fewer."""
        if self._map.version != self._version:
            self._follow()
        similarity, rows = self._index.search(np.ascontiguousarray(descriptors, np.float32), count)
        return np.where(rows < 0, -1, similarity), rows

    def _follow(self) -> None:
        """Bring the index to the map's version."""
        size = len(self._map)
        if size <= MIN_CLUSTERED:
            self._fill(faiss.IndexIDMap(faiss.IndexFlatIP(self._map.dim)), 0)
        elif size > GROWTH * self._clustered_for:
            self._fill(self._clusters(), size)
        else:
            self._update()
        self._version = self._map.version

    def _fill(self, index: faiss.Index, clustered_for: int) -> None:
        rows = self._map.codes.rows()
        index.add_with_ids(self._map.descriptors(rows), rows)
        self._index, self._clustered_for = index, clustered_for
        self._held = self._map.codes.live.copy()

    def _update(self) -> None:
        live = self._map.codes.live
        changed, _ = self._map.codes.changed_since(self._version)
        gone = np.flatnonzero(self._held & ~live[:len(self._held)])
        moved = changed[changed < len(self._held)]
        outdated = np.concatenate([gone, moved[self._held[moved]]])
        self._index.remove_ids(faiss.IDSelectorArray(outdated))
        self._index.add_with_ids(self._map.descriptors(changed), changed)
        self._held = live.copy()

    def _clusters(self) -> faiss.Index:
        """Return empty clusters made for the codes of the map."""
        descriptors = self._map.descriptors(self._map.codes.rows())
        clusters = int(2 * np.sqrt(len(descriptors)))
        dim, half = self._map.dim, faiss.ScalarQuantizer.QT_fp16  # int8 keys lose nothing in it, and it is read sooner
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, clusters, half, faiss.METRIC_INNER_PRODUCT, False)
        index.cp.niter, index.cp.max_points_per_centroid = KMEANS_ITERATIONS, POINTS_PER_CLUSTER
        index.cp.min_points_per_centroid = 1  # with fewer than this, faiss warns on stderr
        index.train(descriptors)
        index.nprobe = PROBES
        index.set_direct_map_type(faiss.DirectMap.Hashtable)  # finds a code's list, so that removing one does not search them all
        return index
