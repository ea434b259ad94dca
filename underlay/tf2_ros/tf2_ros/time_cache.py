"""The transforms of one frame to its parent: a history that is interpolated, or one that holds always."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
from pytransform3d.rotations import quaternion_slerp
from transforms3d.quaternions import quat2mat

from tf2_ros.exceptions import ExtrapolationException


class Edge(NamedTuple):
    """Where a frame stands in its parent frame.

    Attributes:
        parent: name of the parent frame.
        translation_m: (3,) origin of the frame in the parent.
        quat_wxyz: (4,) unit quaternion that turns vectors of the frame into the parent's axes, in the libraries' order.
    """

    parent: str
    translation_m: np.ndarray
    quat_wxyz: np.ndarray

    def same_as(self, other: Edge) -> bool:
        """Whether both say the same."""
        return (self.parent == other.parent and np.array_equal(self.translation_m, other.translation_m)
                and np.array_equal(self.quat_wxyz, other.quat_wxyz))

    def matrix(self) -> np.ndarray:
        """Return parent_T_frame (4, 4)."""
        parent_T_frame = np.eye(4)
        parent_T_frame[:3, :3] = quat2mat(self.quat_wxyz)
        parent_T_frame[:3, 3] = self.translation_m
        return parent_T_frame


def seconds(stamp_ns: int) -> str:
    """Return a stamp as text for messages."""
    return f"{stamp_ns / 1e9:.6f}"


class StaticCache:
    """An edge that never changes."""

    is_static = True

    def __init__(self, cache_time_ns: int) -> None:
        self._edge: Edge | None = None

    def insert(self, stamp_ns: int, edge: Edge) -> bool:
        """Replace the edge."""
        self._edge = edge
        return True

    def at(self, stamp_ns: int) -> Edge:
        """Return the edge, whatever the stamp."""
        return self._edge

    def latest(self) -> tuple[int, str]:
        """Return (0, parent): zero stands for "at any time"."""
        return 0, self._edge.parent

    def clear(self) -> None:
        """Keep the edge: what is static outlives a jump of the clock."""


class TimeCache:
    """The edges of the last seconds, sorted by stamp."""

    is_static = False

    def __init__(self, cache_time_ns: int) -> None:
        self._cache_time_ns = cache_time_ns
        self._stamps_ns: list[int] = []
        self._edges: list[Edge] = []

    def insert(self, stamp_ns: int, edge: Edge) -> bool:
        """Add an edge; return False for one older than the history reaches."""
        oldest_ns = self._stamps_ns[-1] - self._cache_time_ns if self._stamps_ns else stamp_ns
        expired = next((i for i, known_ns in enumerate(self._stamps_ns) if known_ns >= oldest_ns), 0)
        del self._stamps_ns[:expired], self._edges[:expired]
        if stamp_ns < oldest_ns:
            return False
        place = bisect_right(self._stamps_ns, stamp_ns)
        before = place - 1
        while before >= 0 and self._stamps_ns[before] == stamp_ns:
            if self._edges[before].same_as(edge):
                return True
            before -= 1
        self._stamps_ns.insert(place, stamp_ns)
        self._edges.insert(place, edge)
        return True

    def at(self, stamp_ns: int) -> Edge:
        """Return the edge at a stamp, interpolated between its neighbours; stamp 0 is the latest.

        Raises:
            ExtrapolationException: the stamp lies outside the history.
        """
        if not self._stamps_ns:
            raise ExtrapolationException(f"Lookup would require extrapolation at time {seconds(stamp_ns)}, but the "
                                         "buffer is empty")
        if stamp_ns in (0, self._stamps_ns[-1]):
            return self._edges[-1]
        self._check_inside(stamp_ns)
        place = bisect_right(self._stamps_ns, stamp_ns) - 1
        if self._stamps_ns[place] == stamp_ns or self._edges[place].parent != self._edges[place + 1].parent:
            return self._edges[place]
        return self._interpolate(place, stamp_ns)

    def latest(self) -> tuple[int, str] | None:
        """Return (stamp in ns, parent) of the newest edge; None when there is none."""
        return (self._stamps_ns[-1], self._edges[-1].parent) if self._stamps_ns else None

    def clear(self) -> None:
        """Forget all."""
        self._stamps_ns.clear()
        self._edges.clear()

    def _check_inside(self, stamp_ns: int) -> None:
        first_ns, last_ns = self._stamps_ns[0], self._stamps_ns[-1]
        if first_ns == last_ns and stamp_ns != first_ns:
            raise ExtrapolationException(f"Lookup would require extrapolation at time {seconds(stamp_ns)}, "
                                         f"but only time {seconds(first_ns)} is in the buffer")
        if stamp_ns > last_ns:
            raise ExtrapolationException(f"Lookup would require extrapolation into the future.  Requested time "
                                         f"{seconds(stamp_ns)} but the latest data is at time {seconds(last_ns)}")
        if stamp_ns < first_ns:
            raise ExtrapolationException(f"Lookup would require extrapolation into the past.  Requested time "
                                         f"{seconds(stamp_ns)} but the earliest data is at time {seconds(first_ns)}")

    def _interpolate(self, place: int, stamp_ns: int) -> Edge:
        older, newer = self._edges[place], self._edges[place + 1]
        older_ns, newer_ns = self._stamps_ns[place], self._stamps_ns[place + 1]
        ratio = (stamp_ns - older_ns) / (newer_ns - older_ns)
        translation_m = older.translation_m + ratio * (newer.translation_m - older.translation_m)
        return Edge(older.parent, translation_m,
                    quaternion_slerp(older.quat_wxyz, newer.quat_wxyz, ratio, shortest_path=True))
