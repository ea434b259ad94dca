"""Incremental sequence matching, at a cost independent of the sequence length.

A robot that follows the keyframes with speed ratio v is at position b + v t at image t: a line with offset b. The cost
of a line is the sum of the distances of its last L images to the keyframes at its positions. For each image only the
distances to a shortlist are known; all other keyframes are at least as far as the last one of the shortlist. So a
line's cost is the sum of these farthest distances minus its votes, where each image votes for the lines through its
shortlist with the difference to the farthest distance. Votes are added with a new image and removed when it leaves the
window: 2 x shortlist x speeds operations for any length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from cl_localization.errors import DataError
from cl_localization.map.clusters import inverted_file

MIN_CLUSTERED = 4096
"""With fewer descriptors than this, exact search is as fast."""

GROWTH = 2.0
"""The clusters are rebuilt when the number of descriptors has grown by this factor."""

PROBES = 16


@dataclass(frozen=True, eq=False)
class Image:
    """An image in the window.

    Attributes:
        positions: (K,) positions of its shortlist.
        votes: (K,) farthest distance minus distance, >= 0.
        farthest: farthest distance in the shortlist.
    """

    positions: np.ndarray
    votes: np.ndarray
    farthest: float


class LineVotes:
    """Votes for lines at several speed ratios.

    Lines are stored in a ring buffer longer than positions and window together, so that no two share an element.

    Args:
        speed_ratios: positions per image.
        sequence_length: L.
    """

    def __init__(self, speed_ratios: np.ndarray, sequence_length: int) -> None:
        self._ratios, self._length = np.asarray(speed_ratios, np.float64), sequence_length
        self._window: deque[tuple[int, Image]] = deque()
        self._count = 0
        self._farthest_sum = 0.0
        self._votes = np.zeros((len(self._ratios), 0))
        self._speeds = np.arange(len(self._ratios))[:, None]

    def __len__(self) -> int:
        """Return the number of images in the window, at most L."""
        return len(self._window)

    def add(self, image: Image, positions: int) -> None:
        """Add the next image to the window; a full window drops the oldest. `positions` is the number of positions."""
        self._make_room(positions)
        if len(self._window) == self._length:
            number, oldest = self._window.popleft()
            self._vote(number, oldest, -1.0)
        self._count += 1
        self._window.append((self._count, image))
        self._vote(self._count, image, 1.0)

    def mean_distances(self, positions: np.ndarray) -> np.ndarray:
        """Return the least mean distance (P,) over all lines that end at `positions` (P,) at the newest image."""
        best = self._votes[self._speeds, self._lines(self._count, positions)].max(axis=0)
        return (self._farthest_sum - best) / max(len(self._window), 1)

    def _vote(self, number: int, image: Image, sign: float) -> None:
        np.add.at(self._votes, (self._speeds, self._lines(number, image.positions)), sign * image.votes)
        self._farthest_sum += sign * image.farthest

    def _lines(self, number: int, positions: np.ndarray) -> np.ndarray:
        """Return the indices (V, K) in the ring buffer of the lines through positions (K,) at an image."""
        travelled = np.floor(self._ratios * number + 0.5).astype(np.int64)
        return (positions[None] - travelled[:, None]) % max(self._votes.shape[1], 1)

    def _make_room(self, positions: int) -> None:
        needed = positions + 2 * int(np.ceil(self._ratios.max() * self._length)) + 2
        if needed <= self._votes.shape[1]:
            return
        self._votes = np.zeros((len(self._ratios), 2 * needed))
        self._farthest_sum = 0.0
        for number, image in self._window:
            self._vote(number, image, 1.0)


class ShortlistIndex:
    """Unit descriptors by number, searched by inner product; the numbers need not be contiguous."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._index: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(width))
        self._clustered_at = 0

    def __len__(self) -> int:
        return self._index.ntotal

    def add(self, descriptors: np.ndarray, numbers: np.ndarray) -> None:
        """Add descriptors (N, D) with new numbers (N,)."""
        if len(descriptors) == 0:
            return
        self._index.add_with_ids(np.ascontiguousarray(descriptors, np.float32), np.ascontiguousarray(numbers, np.int64))
        if len(self) >= MIN_CLUSTERED and len(self) >= GROWTH * self._clustered_at:
            self._cluster()

    def remove(self, number: int) -> None:
        """Remove the descriptor of a number, if there is one."""
        self._index.remove_ids(np.array([number], np.int64))
        if self._clustered_at and len(self) < MIN_CLUSTERED:
            self._index.nprobe = self._index.nlist  # clusters may be empty: search all

    def search(self, descriptor: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (K,) and numbers (K,) of the nearest descriptors to one (D,), best first; K <= count."""
        similarity, numbers = self._index.search(np.ascontiguousarray(descriptor[None], np.float32),
                                                 min(count, max(len(self), 1)))
        found = numbers[0] >= 0
        return similarity[0][found], numbers[0][found]

    def everything(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all descriptors (N, D) and their numbers (N,); in half precision once there are clusters."""
        if self._clustered_at == 0:
            numbers = faiss.vector_to_array(self._index.id_map)
            none = np.zeros((0, self.width), np.float32)
            return self._index.index.reconstruct_n(0, len(self)) if len(self) else none, numbers
        lists = self._index.invlists
        sizes = [(cluster, lists.list_size(cluster)) for cluster in range(lists.nlist) if lists.list_size(cluster)]
        of_lists = [faiss.rev_swig_ptr(lists.get_ids(cluster), size).copy() for cluster, size in sizes]
        codes = [faiss.rev_swig_ptr(lists.get_codes(cluster), size * lists.code_size).copy() for cluster, size in sizes]
        descriptors = np.concatenate(codes).view(np.float16).reshape(-1, self.width).astype(np.float32)
        return descriptors, np.concatenate(of_lists)

    def _cluster(self) -> None:
        descriptors, numbers = self.everything()
        index = inverted_file(self.width, len(numbers), PROBES)
        index.train(descriptors)
        index.add_with_ids(descriptors, numbers)
        self._index, self._clustered_at = index, len(numbers)


def checked_descriptors(values: np.ndarray, thing: str, width: int | None = None) -> np.ndarray:
    """Return descriptors (N, D) as contiguous float32.

    Args:
        thing: their name in errors.
        width: required D; None: any.

    Raises:
        DataError: not two-dimensional, empty, of another width, or not finite.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.dtype.kind not in "fiu" or 0 in values.shape:
        raise DataError(thing, "must be numbers of shape (N, D)", f"{values.shape} {values.dtype}")
    if width is not None and values.shape[1] != width:
        raise DataError(thing, f"must be {width} numbers wide", values.shape[1],
                        "use descriptors of the model or index")
    with np.errstate(over="ignore"):
        values = np.array(values, np.float32, order="C")  # a copy: memory-mapped files are read-only
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise DataError(thing, "must be finite", f"NaN or infinity in row {wrong[0]} and {len(wrong) - 1} more",
                        "compute those descriptors again")
    return values
