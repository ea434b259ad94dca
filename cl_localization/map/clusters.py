"""Clusters of descriptors for approximate search (an inverted file), made at once or in a thread of its own."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass

import faiss
import numpy as np

from cl_localization.features.encoder import unit_descriptors

PROBES = 8
KMEANS_ITERATIONS = 5
POINTS_PER_CLUSTER = 40
CHUNK = 100_000
"""So many descriptors are there as floats at a time."""

LOWEST_PRIORITY = 19


def inverted_file(dim: int, count: int, probes: int) -> faiss.IndexIVFScalarQuantizer:
    """Return an index for about `count` unit descriptors of length `dim`, to be trained, which searches `probes` of its
    clusters."""
    half = faiss.ScalarQuantizer.QT_fp16  # lossless for int8, and faster
    index = faiss.IndexIVFScalarQuantizer(faiss.IndexFlatIP(dim), dim, int(2 * np.sqrt(count)), half,
                                          faiss.METRIC_INNER_PRODUCT, False)
    index.cp.niter, index.cp.max_points_per_centroid = KMEANS_ITERATIONS, POINTS_PER_CLUSTER
    index.cp.min_points_per_centroid = 1  # no warnings on stderr
    index.nprobe = probes
    # maps a number to its list: what has it is removed, or given back, fast
    index.set_direct_map_type(faiss.DirectMap.Hashtable)  # type: ignore[attr-defined]
    return index


def clustered(keys: np.ndarray, rows: np.ndarray) -> faiss.Index:
    """Return an index of codes (N,) with their keys (N, D) int8, found by inner product."""
    count, dim = keys.shape
    index = inverted_file(dim, count, PROBES)
    sample = np.linspace(0, count - 1, min(count, POINTS_PER_CLUSTER * index.nlist)).astype(np.int64)
    index.train(unit_descriptors(keys[sample]))
    for start in range(0, count, CHUNK):
        chunk = slice(start, start + CHUNK)
        index.add_with_ids(unit_descriptors(keys[chunk]), rows[chunk])
    return index


@dataclass(frozen=True, eq=False)
class Clustering:
    """An index in the making.

    Attributes:
        version: of the map that its codes are of.
        members: (M,) mask of those codes.
        index: becomes the index; made in a thread with the lowest priority, on one core.
    """

    version: int
    members: np.ndarray
    index: Future[faiss.Index]

    @classmethod
    def begin(cls, keys: np.ndarray, members: np.ndarray, version: int) -> Clustering:
        """Begin to cluster the codes of a mask (M,), with the keys (N, D) of those."""
        future: Future[faiss.Index] = Future()
        threading.Thread(target=_fulfil, args=(future, keys, np.flatnonzero(members)), name="clusters",
                         daemon=True).start()
        return cls(version, members, future)


def _fulfil(future: Future[faiss.Index], keys: np.ndarray, rows: np.ndarray) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        faiss.omp_set_num_threads(1)  # applies to this thread only
        future.set_result(clustered(keys, rows))
    except BaseException as error:  # raised where the index is asked for
        future.set_exception(error)
