"""The two runs that everything is measured with: frames into a map, and a map tried on frames."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Iterable

from cl_localization.data.frame import Frame, Sequence
from cl_localization.errors import DataError
from cl_localization.evaluation.records import FrameRecord, make_record
from cl_localization.geometry.camera import Camera

if TYPE_CHECKING:
    from cl_localization.localizer import Localizer
    from cl_localization.mapper import Mapper
    from cl_localization.slam import Slam


@dataclass
class MappingCount:
    """What became of the frames that a mapper was given.

    Attributes:
        frames: with a pose, given to the mapper.
        keyframes: those of them that were kept.
        without_pose, skipped: left out, for want of a pose or because they could not be read.
        seconds: for all of it.
        camera: of the last frame that was given to the mapper.
    """

    frames: int = 0
    keyframes: int = 0
    without_pose: int = 0
    skipped: int = 0
    seconds: float = 0.0
    camera: Camera | None = None


def map_frames(mapper: Mapper, frames: Iterable[Frame], use_depth: bool = True) -> MappingCount:
    """Give frames to a mapper and let it finish; return what became of them.

    Frames without a pose are counted and left out. `seconds` is the time of the whole loop, decoding and the mapper's
    last refinement included.
    """
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
    """Give frames to a SLAM and let it finish; return what became of them: `frames` are those that got a pose."""
    count, start = MappingCount(), time.perf_counter()
    for frame in frames:
        result = slam.add(frame if use_depth else replace(frame, depth_m=None))
        count.camera = frame.camera
        count.frames += result.world_T_cam is not None
        count.without_pose += result.world_T_cam is None
        count.keyframes += result.mapping is not None and result.mapping.is_keyframe
    slam.finish()
    count.seconds = time.perf_counter() - start
    return count


def localize_frames(localizer: Localizer, sequence: Sequence, indices: Iterable[int],
                    unreadable: list[str]) -> list[FrameRecord]:
    """Localize frames of a sequence one by one, each on its own, and return their records.

    Args:
        localizer: asked for every frame without any hint from those before.
        sequence: read with `sequence[index]`, inside the measured time: latency is from the file to the pose.
        indices: which frames.
        unreadable: the messages of frames that could not be read are added here; the run goes on.
    """
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
