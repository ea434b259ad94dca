"""Sources of the poses for mapping: the sequence, its odometry, or the map itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np

from cl_localization.cli.progress import tracked
from cl_localization.cli.tables import warn, warn_unreadable
from cl_localization.errors import DataError

if TYPE_CHECKING:
    from cl_localization.data.frame import Frame, Sequence
    from cl_localization.evaluation.run import MappingCount
    from cl_localization.mapper import Mapper
    from cl_localization.mapping.slam.options import SlamConfig
    from cl_localization.slam import Slam

Poses = Literal["auto", "given", "self", "odometry"]

DRIFT_WARNING_M = 5.0
"""A user is warned when odometry is used as it is over a longer way than this."""


def pose_source(sequence: Sequence, wanted: Poses) -> Poses:
    """Return the source of the poses of a sequence; "auto" is "given" if it has any, else "self"."""
    if wanted != "auto":
        return wanted
    return "given" if any(sequence.pose(index) is not None for index in range(len(sequence))) else "self"


def odometry_as_poses(frames: Iterator[Frame], sequence_name: str) -> Iterator[Frame]:
    """Yield frames with their odometry as pose; warn once, after a few metres.

    Raises:
        DataError: a frame has no odometry.
    """
    way_m, before = 0.0, None
    for frame in frames:
        if frame.odom_T_cam is None:
            raise DataError(f"sequence {sequence_name}", "must have odometry for --poses odometry", "a frame without",
                            "use --poses self")
        was_near = way_m < DRIFT_WARNING_M
        way_m += 0.0 if before is None else float(np.linalg.norm(frame.odom_T_cam[:3, 3] - before))
        before = frame.odom_T_cam[:3, 3]
        if was_near and way_m >= DRIFT_WARNING_M:
            warn(f"{sequence_name}: odometry used as it is over {way_m:.0f} m. Odometry drifts, so places seen again "
                 "may be mapped twice; --poses self corrects that.")
        yield replace(frame, world_T_cam=frame.odom_T_cam)


class SequenceMapping:
    """Maps sequences one after the other into one map."""

    def __init__(self, mapper: Mapper, slam: SlamConfig, use_depth: bool) -> None:
        """Make a mapping into the map of a mapper; `slam` is for sequences with source "self"."""
        self.mapper = mapper
        self._config, self._use_depth = slam, use_depth
        self._slam: Slam | None = None
        self._given: list[tuple[int, np.ndarray]] = []

    def add(self, sequence: Sequence, source: Poses, stop: threading.Event | None = None) -> MappingCount:
        """Map the frames of a sequence, showing the progress, and return the counts.

        Args:
            source: of the poses: "given", "self" or "odometry".
            stop: once it is set, no further frames are read.

        Raises:
            DataError: no frame could be read, no frame has a pose, or one has no odometry.
        """
        from cl_localization.cli.frames import prefetched, require_poses, require_readable
        from cl_localization.evaluation.run import image_only

        indices = require_poses(sequence) if source == "given" else range(len(sequence))
        unreadable: list[str] = []
        files = sequence if self._use_depth else image_only(sequence)
        wanted = takewhile(lambda _: stop is None or not stop.is_set(), indices)
        frames = prefetched(files, tracked(wanted, len(indices), f"mapping {sequence.name}"), unreadable)
        count = self._mapped(frames, source, sequence.name)
        require_readable(count.frames + count.without_pose, unreadable, sequence.name)
        warn_unreadable(unreadable, sequence.skipped)
        if source == "self" and count.frames == 0:
            warn(f"{sequence.name}: no frame got a pose. Without given poses the images need texture, and depth or "
                 "a camera that moves sideways, or a map of the place (--update).")
        count.without_pose += len(sequence) - len(indices)
        count.skipped = len(unreadable) + len(sequence.skipped)
        return count

    def poses(self) -> list[tuple[int, np.ndarray]]:
        """Return (stamp_ns, world_T_cam) of the frames that got a pose, after all corrections of the map. Of own poses,
        only those in the same part of the map as the first one."""
        return [*self._given, *(self._slam.trajectory.poses_of_first_part() if self._slam else [])]

    @property
    def frames_apart(self) -> int:
        """How many frames with own poses `poses` lacks: they are in other parts of the map, or where it is no more."""
        if self._slam is None:
            return 0
        return len(self._slam.trajectory) - len(self._slam.trajectory.poses_of_first_part())

    @property
    def slam(self) -> Slam:
        """The SLAM over the mapper's map, made at first use."""
        from cl_localization.slam import Slam

        self._slam = self._slam or Slam(self.mapper, self._config)
        return self._slam

    def _mapped(self, frames: Iterator[Frame], source: Poses, name: str) -> MappingCount:
        from cl_localization.evaluation.run import map_frames, map_frames_with_own_poses

        if source == "self":
            return map_frames_with_own_poses(self.slam, frames, self._use_depth)
        posed = odometry_as_poses(frames, name) if source == "odometry" else frames
        return map_frames(self.mapper, self._noted(posed), self._use_depth)

    def _noted(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Yield frames, and remember their poses."""
        for frame in frames:
            if frame.world_T_cam is not None:
                self._given.append((frame.stamp_ns, frame.world_T_cam))
            yield frame
