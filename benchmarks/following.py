"""Images in order of time, tracked as the localizer node does it on a processor that takes a given time for a full
localization."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cl_localization.config import FlowConfig, PoseConfig, TrackerConfig
from cl_localization.data.frame import Frame
from cl_localization.data.stamps import NS_PER_S
from cl_localization.localization.result import Localization
from cl_localization.tracking.follower import Follower
from cl_localization.tracking.look import Look
from cl_localization.tracking.tracker import Tracker


@dataclass(frozen=True, eq=False)
class Answer:
    """The pose of an image that was judged.

    Attributes:
        trusted: the tracker's decision.
        true_world_T_cam: (4, 4) truth.
    """

    found: Localization
    trusted: bool
    true_world_T_cam: np.ndarray | None


class TrackedImages:
    """A tracker with its follower, and a processor whose time is that of the images.

    Attributes:
        answers: of the images that were judged, in order.
        looks: number of full localizations.
    """

    def __init__(self, localize: Callable[[Frame], Localization], look_s: float, flow: FlowConfig = FlowConfig(),
                 tracker: TrackerConfig = TrackerConfig(), pose: PoseConfig = PoseConfig()) -> None:
        """Start LOST; a call of `localize` takes `look_s` seconds of the images' time."""
        self.answers: list[Answer] = []
        self.looks = 0
        self._localize, self._look_ns = localize, round(look_s * NS_PER_S)
        self._tracker, self._follower = Tracker(tracker), Follower(flow, pose)
        self._working_on: Frame | None = None
        self._waiting: Frame | None = None
        self._ready_ns = 0

    def show(self, frame: Frame) -> None:
        """Track the next image, after the full localizations that have ended until then."""
        self._finish_until(frame.stamp_ns)
        found = self._follower.follow(frame)
        if found is not None:
            self._judge(frame, found)
        if self._follower.wants_look(frame.stamp_ns, found):
            self._waiting = frame
            self._begin(frame.stamp_ns)

    def finish(self) -> list[Answer]:
        """End the full localizations and return all answers."""
        self._finish_until(np.iinfo(np.int64).max)
        return self.answers

    def _begin(self, now_ns: int) -> None:
        if self._working_on is None and self._waiting is not None:
            self._working_on, self._waiting = self._waiting, None
            self._ready_ns = now_ns + self._look_ns

    def _finish_until(self, now_ns: int) -> None:
        while self._working_on is not None and self._ready_ns <= now_ns:
            frame, self._working_on = self._working_on, None
            found = self._localize(frame)
            self.looks += 1
            if self._follower.finish(Look(frame, found) if found.accepted else None, frame.stamp_ns):
                self._judge(frame, found)
            self._begin(self._ready_ns)

    def _judge(self, frame: Frame, found: Localization) -> None:
        track = self._tracker.update(found, frame.odom_T_cam)
        self._follower.decide(found, track)
        self.answers.append(Answer(found, track.trusted, frame.world_T_cam))
