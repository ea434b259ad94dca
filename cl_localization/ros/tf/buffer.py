"""A buffer of transforms that neither a damaged stamp nor a clock that goes back can block, and that cannot grow
without end."""

from __future__ import annotations

import threading

from geometry_msgs.msg import Transform, TransformStamped
from rclpy.logging import get_logger
from tf2_ros import Buffer

from cl_localization.errors import RosError
from cl_localization.ros.conversions import NANOSECONDS, matrix_of, stamp_ns

JUMP_NS = 10 * NANOSECONDS
"""What a tf buffer remembers. It refuses what is older than that, and forgets all that is older than something new."""

MAX_FRAMES, MAX_NAME = 10_000, 256


class GuardedBuffer(Buffer):
    """A tf buffer in front of which stamps are looked at.

    A transform whose stamp is far from those before it is left out until a second one of the frame agrees: then time
    has jumped, and after a jump back (a bag that plays again, a simulation that starts anew) all that is not static is
    forgotten. A single stamp from another year would make tf2 drop everything it knows and everything that comes.
    """

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self._guard = threading.RLock()
        self._newest_ns: dict[str, int] = {}
        self._doubted_ns: dict[str, int] = {}
        self._frames: set[str] = set()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds at its stamp, if its stamp can be believed."""
        stamp, child = stamp_ns(transform.header.stamp), transform.child_frame_id
        with self._guard:
            if stamp >= 0 and self._acceptable(transform) and self._timely(child, stamp):
                super().set_transform(transform, authority)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds always."""
        with self._guard:
            if self._acceptable(transform):
                super().set_transform_static(transform, authority)

    def clear(self) -> None:
        """Forget all that is not static."""
        with self._guard:
            self._newest_ns.clear()
            self._doubted_ns.clear()
            super().clear()

    def _timely(self, child: str, stamp: int) -> bool:
        newest = self._newest_ns.get(child, stamp)
        if abs(stamp - newest) > JUMP_NS:
            doubted = self._doubted_ns.get(child)
            if doubted is None or abs(stamp - doubted) > JUMP_NS:
                self._doubted_ns[child] = stamp
                return False
            if stamp < newest:
                self.clear()
            newest = stamp
        self._doubted_ns.pop(child, None)
        self._newest_ns[child] = max(newest, stamp)
        return True

    def _acceptable(self, transform: TransformStamped) -> bool:
        """Whether a transform makes sense; tf2 would log each one that does not, without end."""
        names = {transform.header.frame_id, transform.child_frame_id}
        problem = self._problem(names, transform.transform)
        if problem:
            get_logger("tf_buffer").warning(f"a transform is ignored: {problem}", throttle_duration_sec=5.0)
            return False
        self._frames |= names
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
