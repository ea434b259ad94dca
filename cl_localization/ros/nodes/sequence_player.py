"""The node `sequence_player`: publishes a recorded or simulated sequence as the topics of a robot."""

from __future__ import annotations

import threading
import time
from typing import Any

from cl_localization.data import open_sequence, select
from cl_localization.data.frame import Sequence
from cl_localization.data.sequence import base_T_cam_of
from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import ConfigError, DataError
from cl_localization.ros.nodes.config import SequencePlayerConfig
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.playback import Playback
from cl_localization.ros.nodes.process import leave, run_nodes
from cl_localization.ros.nodes.sequence_outputs import SequenceOutputs
from cl_localization.tracking.tracker import RESTART_NS

POLL_S = 0.02
LAST_FRAME_WAIT_S = 1.0


class SequencePlayerNode(ManagedNode):
    """Plays a sequence when it becomes active."""

    def __init__(self, **kwargs: Any) -> None:
        """Declare the parameters; `kwargs` go to rclpy's node."""
        super().__init__("sequence_player", SequencePlayerConfig(), **kwargs)

    def set_up(self) -> None:
        """Open the sequence and create the publishers."""
        whole = self._open()
        self._sequence = self._cut(whole)
        self._outputs = SequenceOutputs(self, self.config, base_T_cam_of(whole))
        self.get_logger().info(f"{whole.name}: {len(self._sequence)} frames, {len(whole.skipped)} skipped")
        for note in getattr(whole, "notes", ()):
            self.get_logger().info(f"note: {note}")
        if self.config.loop and self.config.stamps == "original":
            self._warn_of_short_rounds()

    def start(self) -> None:
        """Start the playback."""
        playback = Playback(self._sequence, self._outputs.publish, lambda: self.config.rate,
                            self.config.stamps == "now")
        self.active.callback(playback.stop)
        playback.start(self.config.loop, self._wait_for_subscribers, self._finished)

    def _open(self) -> Sequence:
        if not self.config.sequence:
            raise ConfigError("parameter sequence", "must name a sequence", repr(""),
                              "set it, for example -p sequence:=sim:0")
        return open_sequence(self.config.sequence, format=self.config.format)

    def _cut(self, whole: Sequence) -> Sequence:
        indices = range(len(whole))[self.config.start:self.config.stop or None]
        if not indices:
            raise DataError(f"sequence {whole.name}", f"must have frames from start to stop; it has {len(whole)}",
                            f"{self.config.start} to {self.config.stop}")
        return select(whole, indices, whole.name)

    def _warn_of_short_rounds(self) -> None:
        round_s = (self._sequence[len(self._sequence) - 1].stamp_ns - self._sequence[0].stamp_ns) / NS_PER_S
        if round_s <= RESTART_NS / NS_PER_S:
            self.get_logger().warning(
                f"parameter loop: a round with stamps original must last longer than {RESTART_NS / NS_PER_S:g} s, "
                f"found {round_s:.2f} s; a localizer takes the second round for images that come late; set stamps to "
                "now")

    def _wait_for_subscribers(self, stop: threading.Event) -> None:
        deadline_s = time.monotonic() + self.config.wait_timeout_s
        while self._outputs.image.get_subscription_count() < self.config.wait_for_subscribers:
            if time.monotonic() > deadline_s or stop.wait(POLL_S):
                self.get_logger().warning(f"image has {self._outputs.image.get_subscription_count()} subscribers, not "
                                          f"{self.config.wait_for_subscribers}; starting playback without them")
                return

    def _finished(self, error: Exception | None) -> None:
        """Playback thread: the end is reached, or reading failed."""
        if error is not None:
            self.report(error)
        if self.context.ok():
            self._outputs.publish_done(LAST_FRAME_WAIT_S)
        if self.config.exit_when_done:
            self.end_process()


def main(args: list[str] | None = None) -> int:
    """Run the node; the entry point of `ros2 run cl_localization sequence_player`."""
    return run_nodes([SequencePlayerNode], args)


if __name__ == "__main__":
    leave(main())
