"""tf: transforms at an image's stamp, waited for briefly; where the camera is on the robot and in its odometry."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from cl_localization.errors import RosError
from cl_localization.ros.conversions import NANOSECONDS, matrix_of, stamp_ns
from cl_localization.ros.nodes.config import FramesConfig
from cl_localization.ros.tf.buffer import GuardedBuffer

POLL_S = 0.005
ODOMETRY_GRACE_S = 1.0
"""Time after the start in which odometry may show up before the map is tied to the base instead."""
STOPPED_S = 1.0
"""Odometry that is further behind an image than this has stopped, and is not waited for until it goes on."""
MAX_DISTANCE_M = 1e6


class TfLookup:
    """Transforms out of a buffer, for a worker's thread: the executor goes on filling the buffer while it waits."""

    def __init__(self, buffer: Buffer, wait_s: float) -> None:
        """Look up in `buffer`, waiting at most `wait_s` seconds of wall time for what is not there yet."""
        self._buffer, self._wait_s = buffer, wait_s
        self._stop = threading.Event()

    def stop(self) -> None:
        """End waiting lookups; later ones do not wait until `resume`."""
        self._stop.set()

    def resume(self) -> None:
        """Wait again for what is not there yet."""
        self._stop.clear()

    def at(self, target: str, source: str, stamp: TimeMessage, wait: bool = True) -> np.ndarray:
        """Return target_T_source (4, 4) at a stamp.

        Raises:
            RosError: it did not come in time; says what tf says.
        """
        deadline_s = time.monotonic() + (self._wait_s if wait else 0.0)
        while True:
            try:
                found = self._buffer.lookup_transform(target, source, Time.from_msg(stamp))
                return matrix_of(found.transform)
            except TransformException as error:
                if time.monotonic() >= deadline_s or self._stop.wait(POLL_S):
                    raise RosError(f"tf {target} -> {source}", f"must be there within {self._wait_s:g} s of its image",
                                   str(error), "check frame names, clocks and who publishes tf") from error

    def behind_s(self, target: str, source: str, stamp: TimeMessage) -> float:
        """Return by how many seconds the newest transform between two frames is older than a stamp; infinite when there
        is none."""
        try:
            newest = self._buffer.lookup_transform(target, source, Time()).header.stamp
        except TransformException:
            return math.inf
        return (stamp_ns(stamp) - stamp_ns(newest)) / NANOSECONDS

    def connected(self, target: str, source: str) -> bool:
        """Return whether the two frames are connected at any time."""
        return bool(target and source) and self._buffer.can_transform(target, source, Time())


@dataclass(frozen=True, eq=False)
class Mounting:
    """Where a camera was at an image's stamp, as far as tf knows.

    Attributes:
        carried: the frame that the map carries: that of the odometry, the base, or the camera itself; empty while
            odometry may still show up.
        odom_T_cam, base_T_cam: (4, 4) the camera in the odometry's frame and on the robot; None where tf does not know
            it.
        problem: why the odometry, which was there before, is not there for this image, or why the camera's frame is
            none; None when all is well.
    """

    carried: str
    odom_T_cam: np.ndarray | None = None
    base_T_cam: np.ndarray | None = None
    problem: RosError | None = None


class RobotFrames:
    """Looks up where the camera was.

    With odometry the map carries the odometry's frame, so that odom -> base stays the odometry's; else the map carries
    the base; a camera that tf knows nothing of is carried itself. The odometry, once seen, is never given up: a base
    with two parents would jump between them.
    """

    def __init__(self, frames: FramesConfig, lookup: TfLookup, now_s: Callable[[], float] = time.monotonic) -> None:
        """Use the frames' names and look the robot up in `lookup`; `now_s` is the clock of the grace for odometry."""
        self._frames, self._lookup, self._now_s = frames, lookup, now_s
        self._started_s = now_s()
        self._has_odometry = False

    def at(self, camera_frame: str, stamp: TimeMessage) -> Mounting:
        """Return where the camera was at an image's stamp; waits for odometry that comes after its image."""
        odom_T_cam, problem = None, None
        if camera_frame in ("", self._frames.map, self._frames.odom):
            return Mounting("", problem=RosError("frame_id of the image", "must name the camera's frame",
                                                 repr(camera_frame),
                                                 "set it in the camera's driver"))
        carried = self._carried(camera_frame)
        if self._has_odometry:
            runs = self._lookup.behind_s(self._frames.odom, camera_frame, stamp) < STOPPED_S
            try:
                odom_T_cam = self._checked(self._lookup.at(self._frames.odom, camera_frame, stamp, wait=runs))
            except RosError as error:
                problem = error
        return Mounting(carried, odom_T_cam, self._base_T_cam(camera_frame, stamp), problem)

    def _base_T_cam(self, camera_frame: str, stamp: TimeMessage) -> np.ndarray | None:
        if not self._lookup.connected(self._frames.base, camera_frame):
            return None
        try:
            return self._checked(self._lookup.at(self._frames.base, camera_frame, stamp, wait=False))
        except RosError:  # a mounting that moves and is late; the pose of the base is left out for this image
            return None

    def _checked(self, a_T_cam: np.ndarray) -> np.ndarray:
        """Refuse a transform that would take the robot off the earth: products with it lose all their digits."""
        far_m = float(np.abs(a_T_cam[:3, 3]).max())
        if not far_m < MAX_DISTANCE_M:
            raise RosError("tf of the camera", f"must lie within {MAX_DISTANCE_M:g} m", f"{far_m:g} m",
                           "check who publishes tf")
        return a_T_cam

    def _carried(self, camera_frame: str) -> str:
        frames = self._frames
        self._has_odometry = self._has_odometry or self._lookup.connected(frames.odom, camera_frame)
        if self._has_odometry:
            return frames.odom
        if frames.odom and self._now_s() - self._started_s < ODOMETRY_GRACE_S:
            return ""
        return frames.base if self._lookup.connected(frames.base, camera_frame) else camera_frame


class Tf:
    """A node's tf: what it hears and what it says."""

    def __init__(self, node: Node, frames: FramesConfig) -> None:
        """Listen to tf on the node's executor."""
        self._node, self._buffer = node, GuardedBuffer()
        self.lookup = TfLookup(self._buffer, frames.tf_wait_s)
        self._listener = TransformListener(self._buffer, node)
        self._broadcaster = TransformBroadcaster(node)

    def send(self, transforms: list[TransformStamped]) -> None:
        """Publish transforms in one message."""
        self._broadcaster.sendTransform(transforms)

    def clear(self) -> None:
        """Forget all that is not static: time has jumped back, and what is in the buffer belongs to another time."""
        self._buffer.clear()

    def wait_while(self, active: ExitStack) -> None:
        """Have lookups wait from now until `active` closes: push this after the worker that looks up, and it ends
        before it is joined."""
        self.lookup.resume()
        active.callback(self.lookup.stop)

    def close(self) -> None:
        """End waiting lookups, stop listening and sending."""
        self.lookup.stop()
        self._listener.unregister()
        self._node.destroy_publisher(self._broadcaster.pub_tf)
