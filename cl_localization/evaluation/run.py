"""The two runs of an evaluation: mapping frames, and localizing frames in a map; depth that nobody uses is not read."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import IndexedSequence, SubSequence, select
from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord, make_record
from cl_localization.geometry.camera import Camera

if TYPE_CHECKING:
    from cl_localization.localizer import Localizer
    from cl_localization.mapper import Mapper
    from cl_localization.slam import Slam


@dataclass
class MappingCount:
    """Counts of a mapping run.

    Attributes:
        frames: frames with a pose, passed to the mapper.
        keyframes: frames that became keyframes.
        without_pose, skipped: frames without a pose, and unreadable frames.
        seconds: duration of the run.
        camera: camera of the last mapped frame.
    """

    frames: int = 0
    keyframes: int = 0
    without_pose: int = 0
    skipped: int = 0
    seconds: float = 0.0
    camera: Camera | None = None


def map_frames(mapper: Mapper, frames: Iterable[Frame], use_depth: bool = True) -> MappingCount:
    """Map frames, finish the mapper, and return the counts; the duration includes decoding and the last refinement."""
    count, start = MappingCount(), time.perf_counter()
    for frame in frames:
        if frame.world_T_cam is None:
            count.without_pose += 1
            continue
        result = mapper.add(frame if use_depth else replace(frame, depth_m=None))
        count.frames += 1
        count.camera = frame.camera
        count.keyframes += result.is_keyframe
    mapper.finish()
    count.seconds = time.perf_counter() - start
    return count


def map_frames_with_own_poses(slam: Slam, frames: Iterable[Frame], use_depth: bool = True) -> MappingCount:
    """Map frames with own poses, finish, and return the counts; `frames` counts those that got a pose."""
    count, start = MappingCount(), time.perf_counter()
    for frame in frames:
        result = slam.add(frame if use_depth else replace(frame, depth_m=None))
        count.camera = frame.camera
        count.frames += result.posed_before + (result.world_T_cam is not None)
        count.without_pose += (result.world_T_cam is None) - result.posed_before
        count.keyframes += result.mapping is not None and result.mapping.is_keyframe
        count.keyframes += result.posed_before > 0  # a start from two views: the first of them, too
    slam.finish()
    count.seconds = time.perf_counter() - start
    return count


def localize_frames(localizer: Localizer, sequence: Sequence, indices: Iterable[int],
                    unreadable: list[str]) -> list[FrameRecord]:
    """Localize frames of a sequence and return their records.

    Args:
        localizer: it is reset first; each pose is estimated from its image alone, see `Localizer`.
        sequence: reading `sequence[index]` counts as latency, which is from the file to the pose.
        indices: indices of the frames.
        unreadable: error messages of skipped frames are appended here.
    """
    localizer.reset()
    records = []
    for index in indices:
        start = time.perf_counter()
        try:
            frame = sequence[index]
        except DataError as error:
            unreadable.append(str(error))
            continue
        result = localizer.localize(frame)
        latency_s = time.perf_counter() - start
        records.append(make_record(frame.name, frame.stamp_ns, result, latency_s, frame.world_T_cam))
    return records


def image_only(sequence: Sequence) -> Sequence:
    """Return the sequence without reading its depth files; unchanged if it has no depth files."""
    if isinstance(sequence, SubSequence):
        return select(image_only(sequence.sequence), sequence.indices, sequence.name)
    return sequence.without_depth() if isinstance(sequence, IndexedSequence) else sequence
