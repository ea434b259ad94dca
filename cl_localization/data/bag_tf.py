"""The tf tree of a bag: who is whose parent, and where at which stamp."""

from __future__ import annotations

import numpy as np

from cl_localization.data.trajectory import Trajectory, trajectory_of
from cl_localization.geometry.se3 import inverse


class TfTree:
    """Transforms by child frame, static or in order of time; the last parent a frame was given holds.

    Args:
        max_gap_ns: transforms further apart than this are not interpolated between.
        max_hold_ns: before the first and after the last one this near is taken as it is.
    """

    def __init__(self, max_gap_ns: int, max_hold_ns: int) -> None:
        self._max_gap_ns, self._max_hold_ns = max_gap_ns, max_hold_ns
        self._parents: dict[str, str] = {}
        self._static: dict[str, np.ndarray] = {}
        self._stamped: dict[str, list[tuple[int, np.ndarray]]] = {}
        self._trajectories: dict[str, Trajectory] = {}

    def add(self, parent: str, child: str, stamp_ns: int, parent_T_child: np.ndarray, static: bool) -> None:
        """Take in one transform (4, 4); a frame that moves to another parent loses its past."""
        if self._parents.get(child) != parent:
            self._static.pop(child, None)
            self._stamped.pop(child, None)
        self._parents[child] = parent
        self._trajectories.pop(child, None)
        if static:
            self._static[child] = parent_T_child
        else:
            self._stamped.setdefault(child, []).append((stamp_ns, parent_T_child))

    def __contains__(self, frame: str) -> bool:
        return frame in self._parents or frame in self._parents.values()

    def frames(self) -> set[str]:
        """Return the names of all frames."""
        return {*self._parents, *self._parents.values()}

    def connects(self, target: str, source: str) -> bool:
        """Return whether a chain of transforms leads from one frame to the other, at any time."""
        return target in self and source in self and self._chain(target)[-1] == self._chain(source)[-1]

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray | None:
        """Return target_T_source (4, 4) at a stamp; None where the frames are not connected then."""
        if target == source:
            return np.eye(4)
        if not self.connects(target, source):
            return None
        up_from_target, up_from_source = self._chain(target), self._chain(source)
        common = next(frame for frame in up_from_source if frame in up_from_target)
        common_T_target = self._climb(up_from_target[:up_from_target.index(common)], stamp_ns)
        common_T_source = self._climb(up_from_source[:up_from_source.index(common)], stamp_ns)
        if common_T_target is None or common_T_source is None:
            return None
        return inverse(common_T_target) @ common_T_source

    def _chain(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on up to the root; a loop ends where it closes."""
        chain = [frame]
        while (parent := self._parents.get(chain[-1])) is not None and parent not in chain:
            chain.append(parent)
        return chain

    def _climb(self, frames: list[str], stamp_ns: int) -> np.ndarray | None:
        """Return the transform from the first of the frames to the parent of the last."""
        total = np.eye(4)
        for frame in frames:
            step = self._parent_T(frame, stamp_ns)
            if step is None:
                return None
            total = step @ total
        return total

    def _parent_T(self, frame: str, stamp_ns: int) -> np.ndarray | None:
        if frame in self._static:
            return self._static[frame]
        if frame not in self._trajectories:
            self._trajectories[frame] = trajectory_of(self._stamped[frame])
        return self._trajectories[frame].at(stamp_ns, self._max_gap_ns, self._max_hold_ns)
