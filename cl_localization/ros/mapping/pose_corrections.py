"""Keyframe poses corrected by a SLAM, from the topic `corrected_path`; the mapper's worker applies the newest path."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from nav_msgs.msg import Path
from rclpy.serialization import deserialize_message

from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import LocalizationError, RosError
from cl_localization.geometry import se3
from cl_localization.mapping.given_pose import MAX_POSITION_M
from cl_localization.ros.conversions import plain
from cl_localization.ros.nodes.managed_node import ManagedNode

MAX_PATH_BYTES = 8_000_000
"""Larger messages are not deserialized: about 100,000 poses, which take 100 MB as Python objects."""

QUATERNION_TOLERANCE = 1e-2


class PoseCorrections:
    """Subscribes to `corrected_path`.

    Attributes:
        problem: why the last path was refused; empty if it was applied.
    """

    def __init__(self, node: ManagedNode, run: Callable[[Callable[[], None]], object],
                 correct: Callable[[np.ndarray, np.ndarray], int],
                 lookup: Callable[[str, str, Time], np.ndarray]) -> None:
        """Subscribe while the node is active.

        Args:
            run: runs a task in the worker.
            correct: worker: takes timestamps (P,) [ns] and camera poses (P, 4, 4), returns the number of moves.
            lookup: worker: returns the transform between two frames at a timestamp.
        """
        self.problem = ""
        self._node, self._run, self._correct, self._lookup = node, run, correct, lookup
        self._camera_at: tuple[str, Time] | None = None
        self._waiting: deque[bytes] = deque(maxlen=1)
        node.hear(Path, "corrected_path", self._take, raw=True)

    def observe(self, camera_frame: str, stamp: Time) -> None:
        """Worker: note an image's camera and timestamp, where base_T_cam is looked up; it is assumed constant."""
        self._camera_at = camera_frame, stamp

    def _take(self, message: bytes) -> None:
        """Keep the newest path until the worker applies it."""
        scheduled = bool(self._waiting)
        self._waiting.append(message)
        if not scheduled:
            self._run(self._apply)

    def _apply(self) -> None:
        """Worker: move keyframes to their poses in the path."""
        if not self._waiting:
            return
        try:
            stamps_ns, map_T_posed = path_poses(self._waiting.popleft(), self._node.config.frames.map)
            moved = self._correct(stamps_ns, map_T_posed @ self._posed_T_cam())
            self.problem = ""
        except LocalizationError as error:
            self.problem = str(error)
            self._node.get_logger().error(self.problem, throttle_duration_sec=1.0)
            return
        if moved:
            self._node.get_logger().info(f"moved {moved} keyframes to their poses in corrected_path")

    def _posed_T_cam(self) -> np.ndarray:
        """Return the camera's pose (4, 4) in the frame whose poses the path holds."""
        if self._node.config.poses.pose_of == "camera":
            return np.eye(4)
        if self._camera_at is None:
            raise RosError("corrected_path", "must come after the first image",
                           remedy="the camera's frame is only known from the images")
        return self._lookup(self._node.config.frames.base, *self._camera_at)


def path_poses(message: bytes, map_frame: str) -> tuple[np.ndarray, np.ndarray]:
    """Return timestamps (P,) in nanoseconds and poses (P, 4, 4) of a serialized `nav_msgs/Path`.

    Raises:
        RosError: a path that is too long or unreadable, or has another frame or an invalid timestamp or pose.
    """
    if len(message) > MAX_PATH_BYTES:
        raise RosError("corrected_path", f"must have at most {MAX_PATH_BYTES} bytes", len(message), "send fewer poses")
    try:
        path = deserialize_message(message, Path)
    except Exception as error:  # rclpy documents no exception types
        raise RosError("corrected_path", "must be a readable nav_msgs/Path", repr(error)[:200]) from error
    frames = {plain(header.frame_id) for header in (path.header, *(pose.header for pose in path.poses))} - {""}
    if frames - {map_frame}:
        raise RosError("corrected_path", f"must be given in the frame {map_frame}",
                       min(frames - {map_frame})[:80])
    stamps = np.array([(pose.header.stamp.sec, pose.header.stamp.nanosec) for pose in path.poses], np.int64)
    stamps = stamps.reshape(-1, 2)
    poses = np.array([(at.x, at.y, at.z, to.x, to.y, to.z, to.w) for at, to in
                      ((pose.pose.position, pose.pose.orientation) for pose in path.poses)], float).reshape(-1, 7)
    if (stamps[:, 1] >= NS_PER_S).any():
        raise RosError("corrected_path stamps", "must have less than a second of nanoseconds", int(stamps[:, 1].max()))
    far = ~(np.abs(poses[:, :3]) < MAX_POSITION_M).all(axis=1)
    if far.any():
        raise RosError("corrected_path positions", f"must lie within {MAX_POSITION_M:g} m of the origin",
                       poses[far][0, :3].tolist())
    bent = ~(np.abs(np.linalg.norm(poses[:, 3:], axis=1) - 1.0) < QUATERNION_TOLERANCE)
    if bent.any():
        raise RosError("corrected_path orientations", "must be unit quaternions", poses[bent][0, 3:].tolist())
    return stamps[:, 0] * NS_PER_S + stamps[:, 1], se3.from_quaternions(poses)
