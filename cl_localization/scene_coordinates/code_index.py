"""Finding the codes nearest to descriptors, approximately, in a map that changes."""

from __future__ import annotations

import faiss
import numpy as np

from cl_localization.scene_coordinates.map_code import MapCode

MIN_CLUSTERED = 4096
"""Below this many codes exact search is as quick."""

REBUILD_SHARE = 0.25
"""Share of codes that may lie in the exactly searched tail, or be outdated, before the clusters are made anew."""

PROBES = 8
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40


class CodeIndex:
    """Inverted-file search over the codes of a map, kept up to date with it.

    Changed codes are searched exactly in a tail beside the clusters until they are many; rows removed or changed since the
    clusters were made are left out of results. Descriptors are unit length, so the inner product orders as the distance does.
    """

    def __init__(self, map_code: MapCode) -> None:
        self._map = map_code
        self._clustered_version = self._tail_version = 0
        self._clustered: faiss.Index | None = None
        self._tail: faiss.Index = faiss.IndexFlatIP(map_code.dim)
        self._clustered_rows = self._tail_rows = np.zeros(0, np.int64)

    def search(self, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (N, count) and map rows (N, count), best first; row -1 with similarity -1 where there are fewer."""
        self._follow()
        parts = [self._part(self._tail, self._tail_rows, descriptors, count)]
        if self._clustered is not None:
            similarity, rows = self._part(self._clustered, self._clustered_rows, descriptors, count)
            codes = self._map.codes
            outdated = (rows >= 0) & ((codes.changed_in[rows] > self._clustered_version) | ~codes.live[rows])
            parts.append((np.where(outdated, -1, similarity), np.where(outdated, -1, rows)))
        similarity, rows = (np.concatenate(arrays, axis=1) for arrays in zip(*parts))
        order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
        return np.take_along_axis(similarity, order, axis=1), np.take_along_axis(rows, order, axis=1)

    @staticmethod
    def _part(index: faiss.Index, index_rows: np.ndarray, descriptors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        if index.ntotal == 0:
            return np.full((len(descriptors), count), -1, np.float32), np.full((len(descriptors), count), -1, np.int64)
        similarity, found = index.search(np.ascontiguousarray(descriptors, np.float32), count)
        return np.where(found < 0, -1, similarity), np.where(found < 0, -1, index_rows[found])

    def _follow(self) -> None:
        """Bring the index to the map's version."""
        if self._map.version == self._tail_version:
            return
        changed, removed = self._map.codes.changed_since(self._clustered_version)
        outdated = len(changed) + np.count_nonzero(np.isin(removed, self._clustered_rows, assume_unique=True))
        if len(self._map) > MIN_CLUSTERED and outdated > REBUILD_SHARE * len(self._map):
            self._cluster()
            changed = np.zeros(0, np.int64)
        self._tail = faiss.IndexFlatIP(self._map.dim)
        self._tail.add(self._map.descriptors(changed))
        self._tail_rows, self._tail_version = changed, self._map.version

    def _cluster(self) -> None:
        rows = self._map.codes.rows()
        descriptors = self._map.descriptors(rows)
        clusters = int(2 * np.sqrt(len(rows)))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(self._map.dim), self._map.dim, clusters, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.max_points_per_centroid = KMEANS_ITERATIONS, POINTS_PER_CLUSTER
        index.cp.min_points_per_centroid = 1  # with fewer than this, faiss warns on stderr
        index.train(descriptors)
        index.add(descriptors)
        index.nprobe = PROBES
        self._clustered, self._clustered_rows, self._clustered_version = index, rows, self._map.version
