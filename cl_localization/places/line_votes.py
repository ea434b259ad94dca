"""Sequence matching image by image, at a cost that does not grow with the sequence length.

A robot that moves along the keyframes with speed ratio v is at position b + v t at image t: a line, named by b. The
matching cost of a line is the sum over its last L images of the distance to the keyframe at that position. Of each
image only the distances to a shortlist are known; every other keyframe is at least as far as the last of the shortlist.
So a line's cost is the sum of these farthest distances minus its votes, and each image votes for the lines through its
shortlist by how much nearer than the farthest they are. Votes are added when an image comes and taken back when it
leaves the window: 2 x shortlist x speeds operations, whatever the length.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Image:
    """What is remembered of an image in the window.

    Attributes:
        positions: (K,) of the keyframes of its shortlist.
        votes: (K,) how much nearer than the farthest of them each is, >= 0.
        farthest: distance of the farthest.
    """

    positions: np.ndarray
    votes: np.ndarray
    farthest: float


class LineVotes:
    """Votes for lines of several speeds through the positions of keyframes.

    Lines are kept in a ring as long as the positions and the window together, so that lines in use never share a place.

    Args:
        speed_ratios: positions passed for each image.
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
        """Return how many images are in the window, at most L."""
        return len(self._window)

    def reset(self) -> None:
        """Forget all images."""
        self._window.clear()
        self._votes[:] = 0
        self._farthest_sum = 0.0

    def add(self, image: Image, positions: int) -> None:
        """Take the next image into the window, and the oldest out of a full one.

        Args:
            positions: how many positions there are; all of the image's are below.
        """
        self._make_room(positions)
        if len(self._window) == self._length:
            number, oldest = self._window.popleft()
            self._vote(number, oldest, -1.0)
        self._count += 1
        self._window.append((self._count, image))
        self._vote(self._count, image, 1.0)

    def mean_distances(self, positions: np.ndarray) -> np.ndarray:
        """Return the least mean distance (P,) over the window of the lines that end at `positions` (P,) at the newest
        image."""
        best = self._votes[self._speeds, self._lines(self._count, positions)].max(axis=0)
        return (self._farthest_sum - best) / max(len(self._window), 1)

    def _vote(self, number: int, image: Image, sign: float) -> None:
        np.add.at(self._votes, (self._speeds, self._lines(number, image.positions)), sign * image.votes)
        self._farthest_sum += sign * image.farthest

    def _lines(self, number: int, positions: np.ndarray) -> np.ndarray:
        """Return where in the ring (V, K) the lines through positions (K,) at an image are."""
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
