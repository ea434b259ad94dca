"""The tree of frames: who stands where in whom, and the way between any two of them."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import numpy as np

from tf2_ros.exceptions import ConnectivityException, ExtrapolationException, InvalidArgumentException, LookupException
from tf2_ros.time_cache import Edge, StaticCache, TimeCache

MAX_DEPTH = 1000
"""Edges from a frame to its root beyond which the tree must have a loop."""


def checked_name(frame: str) -> str:
    """Return a frame name that a user asked for.

    Raises:
        InvalidArgumentException: it is empty or begins with a slash.
    """
    if not frame:
        raise InvalidArgumentException('Invalid argument "" - in tf2 frame_ids cannot be empty')
    if frame.startswith("/"):
        raise InvalidArgumentException(f"Invalid argument \"{frame}\" - in tf2 frame_ids cannot start with a '/'")
    return frame


class FrameTree:
    """All known frames; safe to use from several threads."""

    def __init__(self, cache_time_ns: int) -> None:
        self._cache_time_ns = cache_time_ns
        self._caches: dict[str, TimeCache | StaticCache] = {}
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def insert(self, child: str, stamp_ns: int, edge: Edge, static: bool) -> bool:
        """Add an edge; return False if it is too old."""
        with self._lock:
            cache = self._caches.get(child)
            if cache is None or cache.is_static != static:
                cache = self._caches[child] = (StaticCache if static else TimeCache)(self._cache_time_ns)
            self._names |= {child, edge.parent}
            return cache.insert(stamp_ns, edge)

    def clear(self) -> None:
        """Forget all edges that are not static."""
        with self._lock:
            for cache in self._caches.values():
                cache.clear()

    def find(self, target: str, source: str, stamp_ns: int) -> tuple[int, np.ndarray]:
        """Return the stamp and target_T_source (4, 4); stamp 0 asks for the latest common one.

        Raises:
            InvalidArgumentException, LookupException, ConnectivityException, ExtrapolationException: see there.
        """
        with self._lock:
            if target == source:
                latest = self._latest(source) if stamp_ns == 0 else None
                return (latest[0] if latest else stamp_ns), np.eye(4)
            for frame in (target, source):
                if checked_name(frame) not in self._names:
                    raise LookupException(f'"{frame}" passed to lookupTransform does not exist. ')
            stamp_ns = stamp_ns or self._latest_common_stamp_ns(target, source)
            return stamp_ns, self._walk(target, source, stamp_ns)

    def _latest(self, frame: str) -> tuple[int, str] | None:
        return self._caches[frame].latest() if frame in self._caches else None

    def _latest_common_stamp_ns(self, target: str, source: str) -> int:
        """Return the newest stamp for which all moving edges between the frames have data; 0 when none of them
        moves."""
        above_source = dict(self._newest_above(source))
        for frame, newest_ns in self._newest_above(target):
            if frame in above_source:
                common_ns = min(newest_ns, above_source[frame])
                return 0 if common_ns == math.inf else int(common_ns)
        raise unconnected(target, source)

    def _newest_above(self, frame: str) -> Iterator[tuple[str, float]]:
        """Yield the frame and those above it, each with the newest stamp that all moving edges on the way have
        reached."""
        newest_ns = math.inf
        for _ in range(MAX_DEPTH):
            yield frame, newest_ns
            latest = self._latest(frame)
            if not latest:
                return
            newest_ns, frame = min(newest_ns, latest[0] or math.inf), latest[1]
        raise LookupException("The tf tree is invalid because it contains a loop.")

    def _walk(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Climb from both frames until they meet."""
        above_T_source, gap = {}, None
        try:
            above_T_source.update(self._above(source, stamp_ns))
        except ExtrapolationException as error:  # no harm if the target's way meets ours below this edge
            gap = error
        for frame, frame_T_target in self._above(target, stamp_ns):
            if frame in above_T_source:
                return np.linalg.inv(frame_T_target) @ above_T_source[frame]
        raise gap or unconnected(target, source)

    def _above(self, start: str, stamp_ns: int) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the frame we start from and those above it, each with frame_T_start (4, 4)."""
        frame, frame_T_start = start, np.eye(4)
        for _ in range(MAX_DEPTH):
            yield frame, frame_T_start
            if frame not in self._caches:
                return
            edge = self._caches[frame].at(stamp_ns)
            frame, frame_T_start = edge.parent, edge.matrix() @ frame_T_start
        raise LookupException("The tf tree is invalid because it contains a loop.")


def unconnected(target: str, source: str) -> ConnectivityException:
    """Return the error for two frames that no chain of edges joins."""
    return ConnectivityException(f"Could not find a connection between '{target}' and '{source}' because they are not "
                                 "part of the same tree. Tf has two or more unconnected trees.")
