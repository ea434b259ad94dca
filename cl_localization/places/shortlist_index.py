"""The keyframes most like an image, found quickly among very many: faiss, exact while they are few, in clusters
later."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

MIN_CLUSTERED = 4096
"""Below this many descriptors exact search is as quick."""

GROWTH = 2.0
"""Clusters are made anew when there are this many times as many descriptors as when they were made."""

PROBES = 16
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40


class ShortlistIndex:
    """Unit descriptors by number, searched by inner product; numbers are the caller's and need not be contiguous."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        self._clustered_at = 0

    def __len__(self) -> int:
        return self._index.ntotal

    def add(self, descriptors: np.ndarray, numbers: np.ndarray) -> None:
        """Add descriptors (N, D) under numbers (N,) that are not there yet."""
        if len(descriptors) == 0:
            return
        self._index.add_with_ids(np.ascontiguousarray(descriptors, np.float32), np.ascontiguousarray(numbers, np.int64))
        if len(self) >= MIN_CLUSTERED and len(self) >= GROWTH * self._clustered_at:
            self._cluster()

    def remove(self, number: int) -> None:
        """Remove the descriptor of a number; one that is not there stays away."""
        self._index.remove_ids(np.array([number], np.int64))
        if self._clustered_at and len(self) < MIN_CLUSTERED:
            self._index.nprobe = self._index.nlist  # few are left, and clusters may be empty: look into all

    def search(self, descriptor: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the similarities (K,) and numbers (K,) of the descriptors most like one (D,), best first; K <=
        count."""
        similarity, numbers = self._index.search(np.ascontiguousarray(descriptor[None], np.float32),
                                                 min(count, max(len(self), 1)))
        found = numbers[0] >= 0
        return similarity[0][found], numbers[0][found]

    def everything(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all descriptors (N, D) and their numbers (N,); those in clusters are exact to half precision."""
        if self._clustered_at == 0:
            numbers = faiss.vector_to_array(self._index.id_map)
            return self._index.index.reconstruct_n(0, len(self)) if len(self) else np.zeros(
                (0, self.width), np.float32
            ), numbers
        lists = self._index.invlists
        parts = [faiss.rev_swig_ptr(lists.get_ids(cluster), lists.list_size(cluster)).copy()
                   for cluster in range(lists.nlist)
                   if lists.list_size(cluster)]
        codes = [faiss.rev_swig_ptr(lists.get_codes(cluster), lists.list_size(cluster) * lists.code_size).copy()
                 for cluster in range(lists.nlist) if lists.list_size(cluster)]
        return np.concatenate(codes).view(np.float16).reshape(-1,
                                                              self.width).astype(np.float32), np.concatenate(parts)

    def _cluster(self) -> None:
        descriptors, numbers = self.everything()
        index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(self.width), self.width, int(2 * np.sqrt(len(numbers))),
                                              faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT, False)
        index.own_fields = False
        index.cp.niter, index.cp.max_points_per_centroid, index.cp.min_points_per_centroid = (
            KMEANS_ITERATIONS,
            POINTS_PER_CLUSTER,
            1,
        )
        index.nprobe = PROBES
        index.train(descriptors)
        index.add_with_ids(descriptors, numbers)
        self._index, self._clustered_at = index, len(numbers)
