"""A bounded tf buffer that wrong timestamps and jumps back in time cannot block."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable

from geometry_msgs.msg import Transform, TransformStamped
from rclpy.logging import get_logger
from tf2_ros import Buffer

from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import RosError
from cl_localization.ros.conversions import matrix_of, plain, stamp_ns
from cl_localization.tracking.tracker import RESTART_NS

JUMP_NS = 10 * NS_PER_S
"""Cache time of a tf buffer: it refuses older transforms, and a new one removes all that are older by this."""

MAX_FRAMES, MAX_NAME = 10_000, 256

KEPT = 1000
"""Transforms of a frame that are kept since a jump back: a second of the quickest odometry."""

FORGOTTEN_S = 3.0
"""A parent that was not heard of for this time is none: one wrong message must not block a frame for good."""


class GuardedBuffer(Buffer):
    """A tf buffer that checks timestamps first.

    A transform whose timestamp differs by more than `JUMP_NS` from those before is ignored until a second one of that
    frame confirms the jump in time; a jump back (a bag or simulation that restarts) clears the buffer. In tf2 a single
    timestamp far in the future would remove all transforms and block new ones.

    Attributes:
        watch: gets every transform of tf that is not static.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `now_s` is the clock for `FORGOTTEN_S`."""
        super().__init__()
        self._now_s = now_s
        self._guard = threading.RLock()
        self._newest_ns: dict[str, int] = {}
        self._unconfirmed_ns: dict[str, int] = {}
        self._last_ns: dict[str, int] = {}
        self._since_jump: dict[str, deque[TransformStamped]] = {}
        self._frames: set[str] = set()
        self._parents: dict[str, tuple[str, float]] = {}
        self.watch: Callable[[TransformStamped], None] = lambda transform: None

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform if it and its timestamp are valid."""
        stamp, child = stamp_ns(transform.header.stamp), plain(transform.child_frame_id)
        self.watch(transform)
        with self._guard:
            if stamp >= 0 and self._acceptable(transform):
                if self._timely(child, stamp):
                    super().set_transform(transform, authority)
                self._note(child, stamp, transform)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a static transform if it is valid."""
        with self._guard:
            if self._acceptable(transform, static=True):
                super().set_transform_static(transform, authority)

    @property
    def parents(self) -> dict[str, str]:
        """The parent of each frame, names without leading slash, as far as they were heard of lately or are static."""
        since_s = self._now_s() - FORGOTTEN_S
        with self._guard:
            return {child: parent for child, (parent, heard_s) in self._parents.items() if heard_s >= since_s}

    def clear(self) -> None:
        """Remove all transforms from before a jump back in time that are not static. Those of frames that have just
        jumped stay: odometry often comes before its image, by which the jump is noticed."""
        with self._guard:
            self._newest_ns.clear()  # the next transform of each frame is taken, and ends what is unconfirmed
            super().clear()
            for transforms in self._since_jump.values():
                for transform in transforms:
                    super().set_transform(transform, "after a jump back")

    def _timely(self, child: str, stamp: int) -> bool:
        newest = self._newest_ns.get(child, stamp)
        if abs(stamp - newest) > JUMP_NS:
            unconfirmed = self._unconfirmed_ns.get(child)
            if unconfirmed is None or abs(stamp - unconfirmed) > JUMP_NS:
                self._unconfirmed_ns[child] = stamp
                return False
            if stamp < newest:
                self.clear()
            newest = stamp
        self._unconfirmed_ns.pop(child, None)
        self._newest_ns[child] = max(newest, stamp)
        return True

    def _note(self, child: str, stamp: int, transform: TransformStamped) -> None:
        """Keep the transforms of a frame since it jumped back, while the image that jumps with it may be on its way."""
        if stamp < self._last_ns.get(child, stamp) - RESTART_NS:
            self._since_jump[child] = deque(maxlen=KEPT)
        self._last_ns[child] = stamp
        since = self._since_jump.get(child)
        if since is not None:
            since.append(transform)
            if stamp - stamp_ns(since[0].header.stamp) > RESTART_NS:
                del self._since_jump[child]

    def _acceptable(self, transform: TransformStamped, static: bool = False) -> bool:
        """Whether a transform is valid; warnings are throttled, in tf2 they are not."""
        parent, child = plain(transform.header.frame_id), plain(transform.child_frame_id)
        names = {parent, child}
        problem = self._problem(names, transform.transform)
        if problem:
            get_logger("tf_buffer").warning(f"a transform is ignored: {problem}", throttle_duration_sec=5.0)
            return False
        self._frames |= names
        self._parents[child] = parent, math.inf if static else self._now_s()
        return True

    def _problem(self, names: set[str], transform: Transform) -> str:
        if len(names) < 2 or not all(1 <= len(name) <= MAX_NAME for name in names):
            return f"its frames must be two names of 1 to {MAX_NAME} characters"
        if not names <= self._frames and len(self._frames) >= MAX_FRAMES:
            return f"there are {MAX_FRAMES} frames already"
        try:
            matrix_of(transform)
        except RosError as error:
            return str(error)
        return ""
