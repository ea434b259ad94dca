"""An index of keyframe descriptors with adding and removing, queried with the images of a drive in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cl_localization.config import PlaceIndexConfig
from cl_localization.errors import DataError
from cl_localization.places.sequence_matching import Image, LineVotes, ShortlistIndex, checked_descriptors

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
        order = np.argsort(numbers)
        fresh = PlaceIndex(self._index.width, self.config)
        keyframes = [self._keyframe_at[number] for number in numbers[order].tolist()]
        begin = 0
        for end in range(1, len(keyframes) + 1):
            if end == len(keyframes) or keyframes[end][0] != keyframes[begin][0]:
                fresh.add(descriptors[order[begin:end]], keyframes[begin][0],
                          [number for _, number in keyframes[begin:end]])
                begin = end
        self.__dict__.update(fresh.__dict__)
