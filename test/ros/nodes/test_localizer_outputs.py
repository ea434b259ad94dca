"""What the localizer says on the console."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from cl_localization.ros.nodes.localizer_outputs import WAITING_S, TrackLog
from cl_localization.tracking.tracker import State, Track


class Console:
    """Lines of a log, and a clock that is set."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.now_s = 0.0
        logger = SimpleNamespace(info=lambda text: self.lines.append(f"INFO {text}"),
                                 warning=lambda text: self.lines.append(f"WARN {text}"))
        self.log = TrackLog(logger, lambda: self.now_s)

    def note(self, state: State, reason: str, trusted: bool = False) -> None:
        self.now_s += 1.0
        self.log.note(Track(state, trusted, reason), np.eye(4) if trusted else None)


def test_the_first_pose_being_lost_and_being_found_again_are_one_line_each() -> None:
    console = Console()
    console.note(State.LOST, "the node starts")
    console.note(State.RELOCALIZED, "2 poses agree", trusted=True)
    for _ in range(20):
        console.note(State.TRACKING, "within the gate", trusted=True)
    console.note(State.LOST, "no trusted pose for 1.1 s; too few inliers")
    console.note(State.LOST, "too few inliers")
    console.note(State.RELOCALIZED, "support 300 is overwhelming", trusted=True)
    assert console.lines == ["INFO first pose: camera at 0.00 0.00 0.00 m in the map; 2 poses agree",
                             "WARN LOST: no trusted pose for 1.1 s; too few inliers",
                             "INFO RELOCALIZED: camera at 0.00 0.00 0.00 m in the map; support 300 is overwhelming"]


def test_why_there_is_no_pose_is_said_again_and_again_but_seldom() -> None:
    console = Console()
    for _ in range(25):
        console.note(State.LOST, "too few inliers")
    assert console.lines == ["INFO no pose yet: too few inliers"] * int(25 / (WAITING_S + 1))
