"""A stream of scenes: learned one after the other, and after each all scenes so far are asked for, without saying
which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import pose_error
from cl_localization.research.forgetting import AccuracyMatrix

Bound = tuple[float, float]
"""Metres and degrees."""


@dataclass(frozen=True, eq=False)
class StreamScene:
    """Frames of one scene that are learned, and others that are asked for; poses of all scenes are in one frame."""

    name: str
    frames: Sequence[Frame]
    queries: Sequence[Frame]


class Learner(Protocol):
    """What a stream is given to."""

    def learn(self, scene: int, frames: Sequence[Frame]) -> None:
        """Learn a scene, after all before it."""
        ...

    def pose(self, frame: Frame) -> np.ndarray | None:
        """Return world_T_cam (4, 4) of an image of any scene learned so far, None where no pose is trusted."""
        ...


@dataclass(frozen=True, eq=False)
class StreamErrors:
    """Pose errors after each scene on each scene.

    Attributes:
        tasks: the scenes' names.
        errors: by (row, column), after which scene, on which: (N, 2) of metres and degrees, infinite where there was no
            pose.
    """

    tasks: tuple[str, ...]
    errors: dict[tuple[int, int], np.ndarray]

    def matrix(self, bound: Bound) -> AccuracyMatrix:
        """Return the share of poses within a closed bound."""
        percent = np.full((len(self.tasks),) * 2, np.nan)
        for place, errors in self.errors.items():
            percent[place] = 100.0 * (errors <= bound).all(axis=1).mean()
        return AccuracyMatrix(self.tasks, percent)


def run_stream(scenes: Sequence[StreamScene], learner: Learner,
               tell: Callable[[int, int], None] = lambda done, total: None) -> StreamErrors:
    """Have a learner learn scenes one after the other, and ask for all so far after each.

    Args:
        tell: is told how many scenes are done, of how many.

    Raises:
        DataError: no scene, or one without queries.
    """
    _check(scenes)
    errors = {}
    for number, scene in enumerate(scenes):
        learner.learn(number, scene.frames)
        errors |= {(number, asked): errors_of(learner, scenes[asked].queries) for asked in range(number + 1)}
        tell(number + 1, len(scenes))
    return StreamErrors(tuple(scene.name for scene in scenes), errors)


def ask_in_the_end(scenes: Sequence[StreamScene], learner: Learner) -> StreamErrors:
    """Ask a learner that has learned all scenes at once; raises as `run_stream`."""
    _check(scenes)
    last = len(scenes) - 1
    return StreamErrors(tuple(scene.name for scene in scenes),
                        {(last, number): errors_of(learner, scene.queries) for number, scene in enumerate(scenes)})


def errors_of(learner: Learner, queries: Sequence[Frame]) -> np.ndarray:
    """Return the errors (N, 2) of a learner's poses in metres and degrees, infinite where it has none."""
    poses = [learner.pose(query) for query in queries]
    return np.array([(np.inf, np.inf) if pose is None else pose_error(pose, query.world_T_cam) for pose,
                     query in zip(poses, queries)])


def _check(scenes: Sequence[StreamScene]) -> None:
    if not scenes or any(len(scene.queries) == 0 for scene in scenes):
        raise DataError("stream of scenes", "must have scenes with queries", [len(scene.queries) for scene in scenes])
