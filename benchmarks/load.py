"""How quick localizing is in real node processes: alone, beside a mapper that learns, and in one process with it."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from lifecycle_msgs.msg import Transition

from cl_localization.data.stamps import NS_PER_S
from cl_localization.demo.domains import own_domain
from cl_localization.demo.observer import DemoObserver
from cl_localization.demo.processes import NodeProcesses

MS_PER_S = 1000.0
READY_S = 60.0
PAUSE_S = 0.2
MAPPERS = ("none", "process", "composed")
LEARN_EVERYTHING = {"poses.source": "pose", "keyframes.min_translation_m": 0.0, "keyframes.min_rotation_deg": 0.0}
"""Every image that the mapper gets to is a keyframe: the heaviest learning there is, for as long as wanted."""
LEARNING = {"all": LEARN_EVERYTHING, "new": {"poses.source": "pose"},
            "nerf": {"poses.source": "pose", "nerf.enabled": True}}
"""What the mapper learns from: every image; those that show something new, as it does by default; or those, and keeps
keyframes to draw views from."""


@dataclass(frozen=True)
class Shown:
    """What the nodes see and begin with.

    Attributes:
        sequence: as the player takes it; shown over and over.
        recorded_hz, hz: images a second in the recording, and as it is played.
        map_path: the map that localizer and mapper start from.
        folder: for the logs of the nodes.
    """

    sequence: str
    recorded_hz: float
    hz: float
    map_path: Path
    folder: Path


@dataclass(frozen=True)
class LoadOutcome:
    """What came out of a run.

    Attributes:
        mapper: `none`, `process` (of its own) or `composed` (in the localizer's).
        learns: key of `LEARNING`.
        hz: images a second that were sent.
        served_hz: poses a second that came.
        learned_hz: images a second that the mapper learned from.
        latencies_ms: from an image's stamp, which it gets when it is sent, to the arrival of its pose.
    """

    mapper: str
    learns: str
    hz: float
    served_hz: float
    learned_hz: float
    latencies_ms: list[float]

    def latency_ms(self, percent: float) -> float:
        """Return a percentile of the latency; NaN when nothing was localized."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms else float("nan")


class PlayedNodes:
    """Localizer, mapper and a player in a domain of their own, with an observer of what they say."""

    def __init__(self, shown: Shown) -> None:
        """Open the observer; `start` starts the nodes."""
        self._shown, self._stack = shown, ExitStack()
        domain = self._stack.enter_context(own_domain())
        self.seen = self._stack.enter_context(DemoObserver(domain))
        self.nodes = self._stack.enter_context(NodeProcesses(domain, shown.folder))

    def __enter__(self) -> PlayedNodes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, trace)

    def start(self, mapper: str, learning: dict[str, Any], localizer: dict[str, Any] | None = None,
              odometry: bool = True) -> None:
        """Start the nodes, `mapper` one of `MAPPERS` with parameters for learning, and wait for the first pose.

        Args:
            localizer: parameters of the localizer.
            odometry: whether the robot has odometry; without, tf gets a transform for each pose.

        Raises:
            RosError: a node that does not start or ends by itself.
        """
        common, remap = {"map_file": str(self._shown.map_path.resolve())}, {"pose": "ground_truth"}
        localizing = common | (localizer or {}) | ({} if odometry else {"frames.odom": ""})
        if mapper == "composed":
            self.nodes.start("composed", "composed", localizing | learning, remap)
        else:
            self.nodes.start("localizer", "localizer", localizing)
        if mapper == "process":
            self.nodes.start("mapper", "mapper", common | learning, remap)
        self.nodes.start("sequence_player", "player", {
            "sequence": self._shown.sequence, "rate": self._shown.hz / self._shown.recorded_hz, "loop": True,
            "autostart": False, "odometry": odometry,
            "wait_for_subscribers": 1 if mapper == "none" else 2, "wait_timeout_s": READY_S})
        for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
            self.seen.transition("player", transition, READY_S, self.nodes.check)
        self.seen.wait(lambda: self.seen.poses, READY_S, "first pose", self.nodes.check)

    def wait(self, duration_s: float) -> None:
        """Let them work; raises RosError when one ends by itself."""
        pause, end_s = threading.Event(), time.monotonic() + duration_s
        while (left_s := end_s - time.monotonic()) > 0:
            self.nodes.check()
            pause.wait(min(PAUSE_S, left_s))

    def latencies_ms(self, since_ns: int, until_ns: int) -> dict[int, float]:
        """Return the latency of each pose by the stamp of its image, for stamps of a time, in order."""
        return {stamp: (received_s - stamp / NS_PER_S) * MS_PER_S for stamp,
                (received_s, _) in sorted(self.seen.poses.items())
                if since_ns <= stamp < until_ns}


def run_load(mapper: str, learns: str, shown: Shown, warm_up_s: float, duration_s: float) -> LoadOutcome:
    """Run the nodes and return what came out after the warm-up.

    Raises:
        RosError: a node that does not start or ends by itself.
    """
    with PlayedNodes(shown) as played:
        played.start(mapper, LEARNING[learns])
        played.wait(warm_up_s)
        since_ns, learned = time.time_ns(), played.seen.mapping.frames_processed
        played.wait(duration_s)
        until_ns = time.time_ns()
        latencies_ms = played.latencies_ms(since_ns, until_ns)
        passed_s, learned = (until_ns - since_ns) / NS_PER_S, played.seen.mapping.frames_processed - learned
        return LoadOutcome(mapper, learns, shown.hz, len(latencies_ms) / passed_s, learned / passed_s,
                           list(latencies_ms.values()))
