"""tf: transforms at an image's stamp, waited for briefly, and what a trusted pose means for the frames above the camera."""

from __future__ import annotations

import threading
import time
from typing import Callable

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import Buffer, TransformBroadcaster, TransformException, TransformListener

from cl_localization.errors import RosError
from cl_localization.geometry.se3 import inverse
from cl_localization.ros.conversions import matrix_of, transform_message
from cl_localization.ros.node_config import FramesConfig

POLL_S = 0.005
ODOMETRY_GRACE_S = 1.0
"""Time after the start in which odometry may show up before the map is tied to the base instead."""


class TfLookup:
    """Transforms out of a buffer, for a worker's thread: the executor goes on filling the buffer while it waits."""

    def __init__(self, buffer: Buffer, wait_s: float) -> None:
        """Look up in `buffer`, waiting at most `wait_s` seconds of wall time for what is not there yet."""
        self._buffer, self._wait_s = buffer, wait_s
        self._stop = threading.Event()

    def stop(self) -> None:
        """End waiting lookups; later ones do not wait."""
        self._stop.set()

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

    def connected(self, target: str, source: str) -> bool:
        """Return whether the two frames are connected at any time."""
        return bool(target and source) and self._buffer.can_transform(target, source, Time())


class MapTransform:
    """What is sent to tf for a trusted pose of the camera.

    With odometry the map carries the odometry frame, so that odom -> base stays the odometry's; else the map carries the base; a
    camera that tf knows nothing of is carried itself. The odometry, once seen, is never given up: a base with two parents
    would jump between them.
    """

    def __init__(self, frames: FramesConfig, lookup: TfLookup, now_s: Callable[[], float] = time.monotonic) -> None:
        """Use the frames' names and look the robot up in `lookup`; `now_s` is the clock of the grace for odometry."""
        self._frames, self._lookup, self._now_s = frames, lookup, now_s
        self._started_s = now_s()
        self._has_odometry = False

    def of(self, map_T_cam: np.ndarray, camera_frame: str, stamp: TimeMessage) -> TransformStamped | None:
        """Return map -> odom, base or camera at an image's stamp; None while odometry may still show up.

        Raises:
            RosError: there is odometry, but not at this stamp.
        """
        child = self._carried(camera_frame)
        if child is None:
            return None
        map_T_child = map_T_cam
        if child != camera_frame:
            map_T_child = map_T_cam @ inverse(self._lookup.at(child, camera_frame, stamp))
        message = TransformStamped(child_frame_id=child, transform=transform_message(map_T_child))
        message.header.stamp, message.header.frame_id = stamp, self._frames.map
        return message

    def map_T_base(self, map_T_cam: np.ndarray, camera_frame: str, stamp: TimeMessage) -> np.ndarray:
        """Return the base's pose in the map, or the camera's where tf does not know the base."""
        if not self._lookup.connected(self._frames.base, camera_frame):
            return map_T_cam
        return map_T_cam @ inverse(self._lookup.at(self._frames.base, camera_frame, stamp))

    def _carried(self, camera_frame: str) -> str | None:
        frames = self._frames
        self._has_odometry = self._has_odometry or self._lookup.connected(frames.odom, camera_frame)
        if self._has_odometry:
            return frames.odom
        if frames.odom and self._now_s() - self._started_s < ODOMETRY_GRACE_S:
            return None
        return frames.base if self._lookup.connected(frames.base, camera_frame) else camera_frame


class Tf:
    """A node's tf: what it hears and what it says."""

    def __init__(self, node: Node, frames: FramesConfig) -> None:
        """Listen to tf on the node's executor."""
        buffer = Buffer()
        self.lookup = TfLookup(buffer, frames.tf_wait_s)
        self.map_transform = MapTransform(frames, self.lookup)
        self._listener = TransformListener(buffer, node)
        self._broadcaster = TransformBroadcaster(node)

    def send(self, transform: TransformStamped) -> None:
        """Publish a transform."""
        self._broadcaster.sendTransform(transform)

    def close(self) -> None:
        """End waiting lookups and stop listening."""
        self.lookup.stop()
        self._listener.unregister()
