"""Who else publishes the transforms of this node: two owners of map -> odom make the robot jump between them."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable

from geometry_msgs.msg import TransformStamped

from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.tf.frame_names import plain

RECENT_S = 3.0
REMEMBERED = 2000
"""Newest transforms of this node, which tf brings back to it."""


class TfOwnership:
    """Compares the transforms on tf with those that this node has sent; for the executor and one other thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start without transforms; `now_s` is the clock for `RECENT_S`."""
        self._now_s = now_s
        self._sent: deque[tuple[str, int]] = deque(maxlen=REMEMBERED)
        self._sent_s: dict[str, float] = {}
        self._other_s, self._other = -math.inf, ""

    def note_sent(self, transforms: Iterable[TransformStamped]) -> None:
        """Take what this node is about to send."""
        for transform in transforms:
            self._sent.append((transform.child_frame_id, stamp_ns(transform.header.stamp)))
            self._sent_s[transform.child_frame_id] = self._now_s()

    def note_heard(self, transform: TransformStamped) -> None:
        """Take what tf brings."""
        child = plain(transform.child_frame_id)
        now_s = self._now_s()
        if now_s - self._sent_s.get(child, -math.inf) < RECENT_S \
                and (child, stamp_ns(transform.header.stamp)) not in self._sent:
            self._other_s, self._other = now_s, f"{plain(transform.header.frame_id)} -> {child}"

    @property
    def other(self) -> str:
        """A transform that another node published lately beside this one's, as `map -> odom`; empty for none."""
        return self._other if self._now_s() - self._other_s < RECENT_S else ""
