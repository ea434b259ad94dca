"""An index of keyframe descriptors with adding and removing, queried with the images of a drive in order.

Sequences are matched incrementally, at a cost independent of the sequence length.

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

from cl_localization.config import PlaceIndexConfig
from cl_localization.errors import DataError
from cl_localization.map.clusters import inverted_file

MIN_SQUARED_DISTANCE = 1e-6
"""Least squared distance, so that round-off gives no NaN; in training, equal descriptors give a zero gradient."""

APART = 3
"""Least distance of returned places, in keyframes."""

KEPT_POSITIONS = 32
"""Best positions of the last image that are candidates again, in case the next shortlist lacks the place."""

MAX_SPEED_RATIO = 2.0
SPEED_RATIOS = np.geomspace(0.5, MAX_SPEED_RATIO, 13)
"""Speeds that are tried: keyframes passed from one image to the next."""

MAX_HOLES = 2.0
"""Largest number of positions per keyframe; beyond it, positions are renumbered."""

MIN_RENUMBERED = 10_000

MIN_CLUSTERED = 4096
"""With fewer descriptors than this, exact search is as fast."""

GROWTH = 2.0
"""The clusters are rebuilt when the number of descriptors has grown by this factor."""

PROBES = 16


@dataclass(frozen=True)
class Place:
    """A candidate place of an image.

    Attributes:
        scene: scene of the keyframe.
        keyframe_id: the keyframe nearest to the camera.
        distance: mean descriptor distance of the last images to their keyframes, 0 (equal) to 2.
    """

    scene: str
    keyframe_id: int
    distance: float

    @property
    def score(self) -> float:
        """Similarity for this distance: 1 for equal descriptors, 0 for orthogonal ones."""
        return 1.0 - 0.5 * self.distance ** 2


class PlaceIndex:
    """Keyframe descriptors in the order of recording, matched with the last images of a drive.

    Keyframes of a scene added in a row form a route; images are matched along routes at all speed ratios.

    Args:
        width: length D of the descriptors.
    """

    def __init__(self, width: int, config: PlaceIndexConfig | None = None) -> None:
        self.config = config or PlaceIndexConfig()
        self._index = ShortlistIndex(width)
        self._votes = LineVotes(SPEED_RATIOS, self.config.sequence_length)
        self._gap = int(np.ceil(MAX_SPEED_RATIO * self.config.sequence_length)) + 1
        self._position_of: dict[int, int] = {}
        self._keyframe_at: dict[int, tuple[str, int]] = {}
        self._end, self._last_scene = 0, ""
        self._waiting_m = 0.0
        self._latest: list[Any] = []
        self._kept = np.zeros(0, np.int64)
        self._newest = np.zeros(0, np.int64), np.zeros(0)

    def __len__(self) -> int:
        return len(self._position_of)

    @property
    def images(self) -> int:
        """Number of images in the sequence, at most the sequence length."""
        return len(self._votes)

    def add(self, descriptors: np.ndarray, scene: str, keyframe_ids: list[int]) -> None:
        """Add keyframes with descriptors (N, D) at the end of their scene's route, in the order of recording.

        Raises:
            DataError: another width, not finite, or a known keyframe id.
        """
        descriptors = self._checked(descriptors)
        ids = [int(number) for number in keyframe_ids]
        known = next((number for number in ids if number in self._position_of), None)
        if known is not None or len(set(ids)) != len(descriptors):
            raise DataError("keyframe ids", "must be new and one for each descriptor",
                            known if known is not None else len(ids), "remove the old keyframe first")
        if scene != self._last_scene and self._position_of:
            self._end += self._gap  # so that no sequence matches across two routes
        self._last_scene = scene
        positions = np.arange(self._end, self._end + len(ids))
        self._end += len(ids)
        self._position_of.update(zip(ids, positions.tolist()))
        self._keyframe_at.update((position, (scene, number)) for position, number in zip(positions.tolist(), ids))
        self._index.add(descriptors, positions)

    def remove(self, keyframe_id: int) -> None:
        """Remove a keyframe, leaving a gap in the route; raises DataError for an unknown one."""
        if keyframe_id not in self._position_of:
            raise DataError(f"keyframe {keyframe_id}", "must be in the index", f"{len(self)} others")
        position = self._position_of.pop(keyframe_id)
        del self._keyframe_at[position]
        self._index.remove(position)
        if self._end > max(MAX_HOLES * len(self), MIN_RENUMBERED):
            self._renumber()

    def query(self, descriptor: np.ndarray, travelled_m: float | None = None) -> list[Place]:
        """Return the places that match an image and those before it, best first; empty for an empty index.

        Args:
            descriptor: (D,) descriptor of the image.
            travelled_m: distance travelled since the last query, None: unknown; images too close together are skipped.

        Raises:
            DataError: another width or not finite.
        """
        descriptor = self._checked(np.asarray(descriptor)[None])[0]
        if travelled_m is not None:
            self._waiting_m += travelled_m
            if self._latest and self._waiting_m < self.config.min_travel_m:
                return [place for place in self._latest if place.keyframe_id in self._position_of]
            self._waiting_m = 0.0
        if not len(self):
            return []
        similarity, positions = self._index.search(descriptor, self.config.shortlist)
        distances = np.sqrt(np.maximum(2 - 2 * similarity.astype(np.float64), MIN_SQUARED_DISTANCE))
        farthest = float(distances.max())
        self._votes.add(Image(positions, farthest - distances, farthest), self._end)
        self._newest = positions, distances
        self._latest = self._best(positions)
        return self._latest

    def alike(self, count: int) -> list[Place]:
        """Return the `count` places most similar to the newest image alone, e.g. for a kidnapped robot."""
        positions, distances = self._newest
        known = np.array([position in self._keyframe_at for position in positions.tolist()], bool)
        return self._apart(positions[known], distances[known], count)

    def _best(self, shortlist: np.ndarray) -> list[Place]:
        """Return the best places among the shortlist and the positions ahead of the last best ones."""
        ahead = np.arange(int(np.ceil(MAX_SPEED_RATIO)) + 1)
        positions = np.unique(np.concatenate([shortlist, (self._kept[:, None] + ahead).reshape(-1)]))
        positions = positions[[position in self._keyframe_at for position in positions.tolist()]]
        distances = self._votes.mean_distances(positions)
        self._kept = positions[np.argsort(distances, kind="stable")[:KEPT_POSITIONS]]
        return self._apart(positions, distances, self.config.places)

    def _apart(self, positions: np.ndarray, distances: np.ndarray, count: int) -> list[Place]:
        """Return the `count` positions (P,) of least distance (P,), at least `APART` keyframes apart."""
        chosen: list[int] = []
        for row in np.argsort(distances, kind="stable").tolist():
            if len(chosen) == count:
                break
            if all(abs(positions[row] - positions[other]) >= APART for other in chosen):
                chosen.append(row)
        return [Place(*self._keyframe_at[int(positions[row])], float(distances[row])) for row in chosen]

    def _checked(self, descriptors: np.ndarray) -> np.ndarray:
        descriptors = checked_descriptors(descriptors, "descriptors of the place index", self._index.width)
        return descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-12)

    def _renumber(self) -> None:
        """Renumber the positions without gaps; this starts a new image sequence."""
        descriptors, numbers = self._index.everything()
        fresh = PlaceIndex(self._index.width, self.config)
        keyframes = [self._keyframe_at[number] for number in numbers.tolist()]
        begin = 0
        for end in range(1, len(keyframes) + 1):
            if end == len(keyframes) or keyframes[end][0] != keyframes[begin][0]:
                fresh.add(descriptors[begin:end], keyframes[begin][0],
                          [number for _, number in keyframes[begin:end]])
                begin = end
        self.__dict__.update(fresh.__dict__)


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
        self._numbers: set[int] = set()
        self._clustered_at = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, descriptors: np.ndarray, numbers: np.ndarray) -> None:
        """Add descriptors (N, D) with new numbers (N,)."""
        if len(descriptors) == 0:
            return
        self._index.add_with_ids(np.ascontiguousarray(descriptors, np.float32), np.ascontiguousarray(numbers, np.int64))
        self._numbers.update(numbers.tolist())
        if len(self) >= MIN_CLUSTERED and len(self) >= GROWTH * self._clustered_at:
            self._cluster()

    def remove(self, number: int) -> None:
        """Remove the descriptor of a number, if there is one."""
        self._numbers.discard(number)
        self._index.remove_ids(faiss.IDSelectorArray(np.array([number], np.int64)))
        if self._clustered_at and len(self) < MIN_CLUSTERED:
            self._index.nprobe = self._index.nlist  # clusters may be empty: search all

    def search(self, descriptor: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return similarities (K,) and numbers (K,) of the nearest descriptors to one (D,), best first; K <= count."""
        similarity, numbers = self._index.search(np.ascontiguousarray(descriptor[None], np.float32),
                                                 min(count, max(len(self), 1)))
        found = numbers[0] >= 0
        return similarity[0][found], numbers[0][found]

    def everything(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all descriptors (N, D), in half precision once there are clusters, and their numbers (N,) in order."""
        numbers = np.sort(np.fromiter(self._numbers, np.int64))
        return self._index.reconstruct_batch(numbers), numbers

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
