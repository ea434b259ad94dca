"""Reads frames ahead in a thread; unreadable frames are skipped and counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from cl_localization.data.frame import Frame, Sequence
from cl_localization.data.sequence import read_ahead
from cl_localization.errors import DataError

NO_POSES = ("no image has a pose", "no poses found")
"""How notes of readers begin that say why there are no poses."""

MAX_LIKELY_DEPTH_M = 100.0
"""No depth camera measures as far; a greater median is in another unit than it was taken for."""


def open_given(spec: str, format: str, order: str) -> Sequence:
    """Return the sequence that a word of a command names.

    Args:
        order: the words of the command in their right order, for an error.

    Raises:
        DataError, GeometryError: as `open_sequence`; also for a map where a sequence belongs.
    """
    from cl_localization.data import open_sequence
    from cl_localization.map.map_file import is_map_file

    if is_map_file(spec):
        raise DataError(spec, "is a map, not a sequence", remedy=f"the order is: {order}")
    return open_sequence(spec, format)


def prefetched(sequence: Sequence, indices: Iterable[int], unreadable: list[str]) -> Iterator[Frame]:
    """Yield frames in order while a thread decodes the next one.

    Args:
        sequence: read with `sequence[index]`, by one thread at a time.
        indices: indices of the frames.
        unreadable: error messages of skipped frames are appended here.
    """
    for pending in read_ahead(sequence, indices):
        try:
            frame = pending.result()
        except DataError as error:
            unreadable.append(str(error))
            continue
        yield frame


def require_poses(sequence: Sequence) -> list[int]:
    """Return the indices of frames with a pose.

    Raises:
        DataError: no frame has a pose.
    """
    posed = [index for index in range(len(sequence)) if sequence.pose(index) is not None]
    if not posed:
        why = [note for note in getattr(sequence, "notes", ()) if note.startswith(NO_POSES)]
        raise DataError(f"sequence {sequence.name}", "must have frames with poses", f"{len(sequence)} frames without",
                        why[-1] if why else "add poses.txt or use a sequence with ground truth")
    return posed


def require_codes(codes: int, keyframes: int, sequences: Iterable[Sequence], use_depth: bool) -> None:
    """Raise a DataError that says why a map has no codes, if it has none."""
    if codes > 0:
        return
    given_m = [[pose[:3, 3] for index in range(len(sequence)) if (pose := sequence.pose(index)) is not None]
               for sequence in sequences]
    if use_depth and (far_m := _median_depth(sequences)) > MAX_LIKELY_DEPTH_M:
        remedy = (f"the median of its depth is {far_m:,.0f} m, so its unit is likely wrong: if it is in millimetres, "
                  "give ?depth_unit_m=0.001 (a bag's 32FC1 is taken as metres)")
    elif not any(given_m):
        remedy = ("no frame got a pose; without given poses the images need texture, and depth or a camera that moves: "
                  "find the poses with COLMAP and map its model, or give a trajectory (?poses=FILE)")
    elif not any(np.ptp(positions_m, axis=0).max() > 0 for positions_m in given_m if positions_m):
        remedy = "all poses are in one place: check them, and the stamps by which they were found"
    elif keyframes == 0:
        remedy = "no frame became a keyframe: check that the frames' stamps differ"
    elif use_depth:
        remedy = "check that images have texture, and depth (or poses without it) the right unit"
    else:
        remedy = "without depth points need views from apart: check the poses' unit and that the camera moves"
    raise DataError("map", "must have at least one code", f"0 codes of {keyframes} keyframes", remedy)


def _median_depth(sequences: Iterable[Sequence]) -> float:
    """Return the median depth [m] of the first frame with depth; 0 without any."""
    for sequence in sequences:
        has_depth = getattr(sequence, "has_depth", lambda index: True)
        indices = (index for index in range(len(sequence)) if has_depth(index))
        if (first := next(indices, None)) is not None and (depth_m := sequence[first].depth_m) is not None:
            return float(np.median(depth_m[depth_m > 0])) if (depth_m > 0).any() else 0.0
    return 0.0


def require_readable(frames: int, unreadable: list[str], sequence_name: str) -> None:
    """Raise a DataError with the first error message if no frame could be read."""
    if frames == 0 and unreadable:
        raise DataError(f"sequence {sequence_name}", "has no readable frame", unreadable[0])
