"""Sequences whose frames have names, parts of them, and reading them ahead."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from cl_localization.data.files import MAX_FRAMES
from cl_localization.data.frame import Frame, Sequence
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM, upright_turns


class IndexedSequence(ABC):
    """A `Sequence` whose frames have names that are known without decoding them.

    Attributes:
        name: what the user called it.
        names: the frames' names, in order.
        skipped: names of listed frames that were left out: missing, or with a pose that is no pose.
        notes: what the reader had to assume or guess, one sentence each.
        camera_source: where the intrinsics are from: a file, a topic, a data set's default.
        base_T_cam: (4, 4) camera on the robot that carried it, or None where there is no robot.
        turn_deg: angle clockwise by which images must be turned to be upright, a multiple of 90; None: as `base_T_cam`
            says.

    Raises:
        DataError: no frames, or too many.
    """

    base_T_cam: np.ndarray | None = None
    turn_deg: int | None = None

    def __init__(self, name: str, names: list[str], skipped: Iterable[str] = (), notes: Iterable[str] = (),
                 camera_source: str = "") -> None:
        self.name, self.names, self.skipped, self.notes = name, names, list(skipped), list(notes)
        self.camera_source = camera_source
        if not names:
            left_out = f"0 frames, {len(self.skipped)} left out" if self.skipped else "0 frames"
            raise DataError(f"sequence {name}", "must have at least one usable frame", left_out,
                            "check the path and its files")
        if len(names) > MAX_FRAMES:
            raise DataError(f"sequence {name}", f"must not have more than {MAX_FRAMES} frames", len(names), "split it")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Frame]:
        return (self._upright(self._frame(index)) for index in range(len(self)))

    def __getitem__(self, index: int | slice) -> Any:
        """Return a frame; for a slice the sequence of those frames, which are not decoded yet."""
        if isinstance(index, slice):
            return SubSequence(self, range(len(self))[index])
        return self._upright(self._frame(self._checked(index)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: {len(self)} frames, {len(self.skipped)} left out>"

    def pose(self, index: int) -> np.ndarray | None:
        """Return world_T_cam (4, 4) of frame `index` without decoding its image; None if unknown."""
        return self._pose(self._checked(index))

    def camera_at(self, index: int) -> Camera | None:
        """Return the camera of frame `index` without decoding its image; None where that is not known."""
        return None

    def has_depth(self, index: int) -> bool:
        """Return whether frame `index` has depth, without decoding it."""
        return False

    def without_depth(self) -> IndexedSequence:
        """Return the same frames; depth that would have to be read from files of its own is not."""
        return self

    def _upright(self, frame: Frame) -> Frame:
        """Return a frame that says which way up its image is, where that is known of the sequence."""
        if self.turn_deg is not None:
            return replace(frame, upright_turns=self.turn_deg // 90)
        return frame if self.base_T_cam is None else replace(frame, upright_turns=upright_turns(self.base_T_cam))

    def _checked(self, index: int) -> int:
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of sequence {self.name}, which has {len(self)}")
        return index % len(self)

    @abstractmethod
    def _frame(self, index: int) -> Frame:
        """Return frame `index`, which lies in [0, len)."""

    @abstractmethod
    def _pose(self, index: int) -> np.ndarray | None:
        """Return world_T_cam of frame `index`, which lies in [0, len)."""


class SubSequence(IndexedSequence):
    """Some frames of another sequence, in the order of `indices`, each in [0, len(sequence))."""

    def __init__(self, sequence: Sequence, indices: Iterable[int], name: str = "") -> None:
        self.sequence, self.indices = sequence, [operator.index(index) for index in indices]
        for index in self.indices:
            if not 0 <= index < len(sequence):
                raise DataError(f"frame index of {sequence.name}", f"must lie in [0, {len(sequence) - 1}]", index)
        self.base_T_cam, self.turn_deg = getattr(sequence, "base_T_cam", None), getattr(sequence, "turn_deg", None)
        all_names = frame_names(sequence)
        super().__init__(name or f"{sequence.name} (part)", [all_names[index] for index in self.indices],
                         sequence.skipped, getattr(sequence, "notes", ()), getattr(sequence, "camera_source", ""))

    def camera_at(self, index: int) -> Camera | None:
        """Return the camera of frame `index`; None where that is not known."""
        return self.sequence.camera_at(self.indices[index]) if hasattr(self.sequence, "camera_at") else None

    def has_depth(self, index: int) -> bool:
        """Return whether frame `index` has depth."""
        return hasattr(self.sequence, "has_depth") and self.sequence.has_depth(self.indices[index])

    def _frame(self, index: int) -> Frame:
        return self.sequence[self.indices[index]]

    def _pose(self, index: int) -> np.ndarray | None:
        return self.sequence.pose(self.indices[index])


def frame_names(sequence: Sequence) -> list[str]:
    """Return the names of all frames, without decoding them; a sequence that has no `names` counts them."""
    return list(getattr(sequence, "names", None) or (f"{index:06d}" for index in range(len(sequence))))


def base_T_cam_of(sequence: Sequence) -> np.ndarray:
    """Return where the camera is on its robot (4, 4): looking forward from its origin if the sequence does not say."""
    base_T_cam = getattr(sequence, "base_T_cam", None)
    return FORWARD_BASE_T_CAM if base_T_cam is None else np.asarray(base_T_cam, float)


def read_ahead(sequence: Sequence, indices: Iterable[int]) -> Iterator[Future[Frame]]:
    """Yield frames in order, decoded, while a thread decodes the next one; their results raise what reading raises."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="decode") as pool:
        pending: Future[Frame] | None = None
        for index in indices:
            following = pool.submit(sequence.__getitem__, index)
            if pending is not None:
                yield pending
            pending = following
        if pending is not None:
            yield pending


def select(sequence: Sequence, indices: Iterable[int], name: str = "") -> SubSequence:
    """Return the frames at `indices`, in that order. Raises DataError for an index outside, or none at all."""
    return SubSequence(sequence, indices, name)
