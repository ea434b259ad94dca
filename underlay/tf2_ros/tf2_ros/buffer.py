"""The buffer that nodes ask for transforms."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.task import Future
from rclpy.time import Time
from transforms3d.quaternions import mat2quat

from tf2_ros.exceptions import TransformException
from tf2_ros.frame_tree import FrameTree
from tf2_ros.time_cache import Edge, seconds

DEFAULT_CACHE_TIME = Duration(seconds=10)
QUATERNION_NORMALIZATION_TOLERANCE = 10e-3


def nanoseconds(time: Any) -> int:
    """Return the nanoseconds of an rclpy Time or Duration or of a builtin_interfaces message."""
    if hasattr(time, "nanoseconds"):
        return time.nanoseconds
    if hasattr(time, "sec") and hasattr(time, "nanosec"):
        return time.sec * 1_000_000_000 + time.nanosec
    raise TypeError("time must have sec and nanosec, or nanoseconds.")


class Buffer:
    """Transforms of the last seconds, and the static ones.

    Args:
        cache_time: how long transforms are kept; 10 s when None.
        node: its clock is watched, and the buffer cleared when that jumps back.
    """

    def __init__(self, cache_time: Duration | None = None, node: Node | None = None) -> None:
        self._tree = FrameTree((DEFAULT_CACHE_TIME if cache_time is None else cache_time).nanoseconds)
        self._news = threading.Condition()
        self._waiting: list[tuple[Future, str, str, Any]] = []
        self.clock = node.get_clock() if node else Clock()
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(seconds=-1), on_clock_change=True)
        self.jump_handle = self.clock.create_jump_callback(threshold, post_callback=self.time_jump_callback)

    def time_jump_callback(self, time_jump: TimeJump) -> None:
        """Forget all that is not static, because stamps from before the jump mean other instants."""
        get_logger("tf2_buffer").warning("Detected jump back in time. Clearing tf buffer.")
        self.clear()

    def clear(self) -> None:
        """Forget all that is not static."""
        self._tree.clear()

    def set_transform(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds at its stamp. One that makes no sense is logged and ignored."""
        self._insert(transform, authority, static=False)

    def set_transform_static(self, transform: TransformStamped, authority: str) -> None:
        """Add a transform that holds always. One that makes no sense is logged and ignored."""
        self._insert(transform, authority, static=True)

    def lookup_transform(self, target_frame: str, source_frame: str, time: Any,
                         timeout: Duration = Duration()) -> TransformStamped:
        """Return the transform that takes points of `source_frame` to `target_frame`.

        Args:
            time: rclpy Time or message; zero asks for the latest stamp that all edges have.
            timeout: how long to wait for it, on the wall clock.

        Raises:
            LookupException, ConnectivityException, ExtrapolationException, InvalidArgumentException: all
                TransformExceptions.
        """
        self._wait(target_frame, source_frame, time, timeout)
        stamp_ns, target_T_source = self._tree.find(target_frame, source_frame, nanoseconds(time))
        return to_message(target_frame, source_frame, stamp_ns, target_T_source)

    def can_transform(self, target_frame: str, source_frame: str, time: Any, timeout: Duration = Duration(),
                      return_debug_tuple: bool = False) -> bool | tuple[bool, str]:
        """Return whether `lookup_transform` would succeed, waiting for it up to `timeout`; on wish with the reason why
        not."""
        self._wait(target_frame, source_frame, time, timeout)
        reason = self._reason(target_frame, source_frame, time)
        return (not reason, reason) if return_debug_tuple else not reason

    def wait_for_transform_async(self, target_frame: str, source_frame: str, time: Any) -> Future:
        """Return a future that is done, with the transform, as soon as there is one."""
        future = Future()
        with self._news:
            self._waiting.append((future, target_frame, source_frame, time))
        self._serve_waiting()
        return future

    def _insert(self, transform: TransformStamped, authority: str, static: bool) -> None:
        parent, child = transform.header.frame_id.removeprefix("/"), transform.child_frame_id.removeprefix("/")
        translation_m, quat_wxyz = arrays(transform)
        stamp_ns = nanoseconds(transform.header.stamp)
        problem = why_invalid(parent, child, translation_m, quat_wxyz)
        if not problem and not self._tree.insert(child, stamp_ns, unit_edge(parent, translation_m, quat_wxyz), static):
            problem = f"it is from the past (TF_OLD_DATA, {seconds(stamp_ns)})"
        if problem:
            get_logger("tf2_buffer").warning(f'Ignoring transform of "{child}" from authority "{authority}" because '
                                             f'{problem}')
            return
        with self._news:
            self._news.notify_all()
        self._serve_waiting()

    def _wait(self, target_frame: str, source_frame: str, time: Any, timeout: Duration) -> None:
        if timeout.nanoseconds > 0:
            with self._news:
                self._news.wait_for(lambda: not self._reason(target_frame, source_frame, time),
                                    timeout.nanoseconds / 1e9)

    def _reason(self, target_frame: str, source_frame: str, time: Any) -> str:
        try:
            self._tree.find(target_frame, source_frame, nanoseconds(time))
        except TransformException as error:
            return str(error)
        return ""

    def _serve_waiting(self) -> None:
        with self._news:
            ready = [entry for entry in self._waiting if entry[0].cancelled() or not self._reason(*entry[1:])]
            self._waiting = [entry for entry in self._waiting if entry not in ready]
        for future, target_frame, source_frame, time in ready:
            if future.cancelled():
                continue
            try:
                future.set_result(self.lookup_transform(target_frame, source_frame, time))
            except TransformException as error:  # another thread may have cleared the buffer meanwhile
                future.set_exception(error)


def arrays(transform: TransformStamped) -> tuple[np.ndarray, np.ndarray]:
    """Return the translation (3,) [m] and the quaternion w x y z (4,)."""
    at, turn = transform.transform.translation, transform.transform.rotation
    return np.array([at.x, at.y, at.z]), np.array([turn.w, turn.x, turn.y, turn.z])


def unit_edge(parent: str, translation_m: np.ndarray, quat_wxyz: np.ndarray) -> Edge:
    """Return an edge with the quaternion brought to length one."""
    return Edge(parent, translation_m, quat_wxyz / np.linalg.norm(quat_wxyz))


def why_invalid(parent: str, child: str, translation_m: np.ndarray, quat_wxyz: np.ndarray) -> str:
    """Return why an edge cannot be used; empty when it can."""
    if not child or not parent:
        return "frame_id and child_frame_id must be set"
    if child == parent:
        return "frame_id and child_frame_id are the same"
    if np.isnan(translation_m).any() or np.isnan(quat_wxyz).any():
        return "of a nan value in the transform"
    with np.errstate(over="ignore"):
        if not abs(np.square(quat_wxyz).sum() - 1.0) < QUATERNION_NORMALIZATION_TOLERANCE:
            return "of an invalid quaternion in the transform"
    return ""


def to_message(target_frame: str, source_frame: str, stamp_ns: int, target_T_source: np.ndarray) -> TransformStamped:
    """Return the message of target_T_source (4, 4)."""
    message = TransformStamped(child_frame_id=source_frame)
    message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
    message.header.frame_id = target_frame
    at, turn = message.transform.translation, message.transform.rotation
    at.x, at.y, at.z = target_T_source[:3, 3].tolist()
    turn.w, turn.x, turn.y, turn.z = mat2quat(target_T_source[:3, :3]).tolist()
    return message
