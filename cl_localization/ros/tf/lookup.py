"""Look-up of transforms at an image's timestamp: the camera's pose on the robot and in the odometry frame."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

import numpy as np
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.time import Time
from tf2_ros import TransformBroadcaster, TransformException, TransformListener

from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import RosError
from cl_localization.geometry.robot_pose import upright_turns
from cl_localization.ros.conversions import matrix_of, plain, stamp_ns
from cl_localization.ros.nodes.config import FramesConfig
from cl_localization.ros.tf.buffer import GuardedBuffer

POLL_S = 0.005
ODOMETRY_GRACE_S = 1.0
"""Time to wait for odometry after the start, before map -> base is published instead of map -> odom, and for the
camera's mounting, before map -> camera is."""
STOPPED_S = 1.0
"""Odometry that lags an image by more than this has stopped, and is not waited for."""
MAX_DISTANCE_M = 1e6
TF_TOPIC = "/tf"
NEAR_NAMES = 3
LOOKS_UP = 0.85
"""Cosine of the angle between the camera's viewing direction and the robot's up axis beyond which it is suspected: a
body with x ahead looks straight up."""

RECENT_S = 3.0
REMEMBERED = 2000
"""Newest transforms of this node, which tf brings back to it."""


class TfLookup:
    """Look-up in a tf buffer for worker threads, which may wait while the executor fills the buffer."""

    def __init__(self, buffer: GuardedBuffer, wait_s: float) -> None:
        """Look up in `buffer`, waiting at most `wait_s` seconds of wall time."""
        self._buffer, self._wait_s = buffer, wait_s
        self._stop = threading.Event()

    def stop(self) -> None:
        """End waiting look-ups; later ones do not wait until `resume`."""
        self._stop.set()

    def resume(self) -> None:
        """Let look-ups wait again."""
        self._stop.clear()

    def at(self, target: str, source: str, stamp: TimeMessage, wait: bool = True) -> np.ndarray:
        """Return target_T_source (4, 4) at a timestamp.

        Raises:
            RosError: it is not available in time; the message contains that of tf.
        """
        deadline_s = time.monotonic() + (self._wait_s if wait else 0.0)
        while True:
            try:
                found = self._buffer.lookup_transform(target, source, Time.from_msg(stamp))
                return matrix_of(found.transform)
            except TransformException as error:
                if time.monotonic() >= deadline_s or self._stop.wait(POLL_S):
                    raise RosError(f"tf {target} -> {source}", f"must arrive within {self._wait_s:g} s of its image",
                                   str(error), "check frame names, clocks and the publishers of tf") from error

    def behind_s(self, target: str, source: str, stamp: TimeMessage) -> float:
        """Return how many seconds the newest transform between two frames lags a timestamp; infinite for none."""
        try:
            newest = self._buffer.lookup_transform(target, source, Time()).header.stamp
        except TransformException:
            return math.inf
        return (stamp_ns(stamp) - stamp_ns(newest)) / NS_PER_S

    def newest(self, target: str, source: str) -> np.ndarray | None:
        """Return the newest target_T_source (4, 4); None where tf does not connect the two."""
        try:
            return matrix_of(self._buffer.lookup_transform(target, source, Time()).transform)
        except TransformException:
            return None

    def connected(self, target: str, source: str) -> bool:
        """Return whether tf connects the two frames, at any time."""
        return bool(target and source) and self._buffer.can_transform(target, source, Time())

    def parent_of(self, frame: str) -> str:
        """Return the parent of a frame; empty for none."""
        return self._buffer.parents.get(frame, "")

    def root_of(self, frame: str, top: str) -> str:
        """Return the frame without parent above a frame, or the one below `top`."""
        parents = self._buffer.parents
        for _ in parents:
            if parents.get(frame, "") in ("", top):
                break
            frame = parents[frame]
        return frame

    @property
    def frames(self) -> set[str]:
        """All frames of tf."""
        parents = self._buffer.parents
        return {*parents, *parents.values()}


@dataclass(frozen=True, eq=False)
class Mounting:
    """The camera's poses on tf at an image's timestamp.

    Attributes:
        child_frame: child of the transform map -> ... to publish: odometry, base or the frame above the camera; empty
            for none, as while waiting for odometry, or for the camera's mounting, after the start.
        odom_T_cam, base_T_cam: (4, 4) the camera in the odometry frame and on the robot; None if not on tf.
        problem: what is wrong with the frames, or why the odometry is missing for this image; None for no problem.
        cam_T_child: (4, 4) `child_frame` on the camera, where tf does not connect that to the base.
    """

    child_frame: str
    odom_T_cam: np.ndarray | None = None
    base_T_cam: np.ndarray | None = None
    problem: RosError | None = None
    cam_T_child: np.ndarray = field(default_factory=lambda: np.eye(4))


class RobotFrames:
    """Looks up the camera's poses, and decides which transform to publish.

    With odometry it is map -> odom, since odom -> base belongs to the odometry; else map -> base, or, if the camera is
    not connected to the base, map -> the frame above the camera, which its driver may have. It stays map -> odom when
    odometry stops. A frame that has another parent gets no second one: it would jump between them for all listeners.
    """

    def __init__(self, frames: FramesConfig, lookup: TfLookup, now_s: Callable[[], float] = time.monotonic) -> None:
        """Use the frame names `frames`; `now_s` is the clock for `ODOMETRY_GRACE_S`."""
        self._frames, self._lookup, self._now_s = frames, lookup, now_s
        self._started_s = now_s()
        self._has_odometry = False

    def at(self, camera_frame: str, stamp: TimeMessage) -> Mounting:
        """Return the camera's poses at an image's timestamp; waits for odometry later than its image."""
        odom_T_cam, problem = None, None
        if camera_frame in ("", self._frames.map, self._frames.odom):
            return Mounting("", problem=RosError("frame_id of the image", "must name the camera's frame",
                                                 repr(camera_frame), "set it in the camera's driver"))
        child_frame = self._child_frame(camera_frame)
        if self._has_odometry:
            is_running = self._lookup.behind_s(self._frames.odom, camera_frame, stamp) < STOPPED_S
            try:
                odom_T_cam = self._checked(self._lookup.at(self._frames.odom, camera_frame, stamp,
                                                             wait=is_running))
            except RosError as error:
                problem = error
        mounting = Mounting(child_frame, odom_T_cam, self._base_T_cam(camera_frame, stamp), problem)
        mounting = replace(mounting, problem=self._mounting_problem(camera_frame, mounting) or problem)
        parent = self._lookup.parent_of(child_frame)
        if parent not in ("", self._frames.map):
            return replace(mounting, child_frame="", problem=self._second_parent(child_frame, parent))
        if child_frame not in ("", self._frames.odom, self._frames.base, camera_frame):
            return self._with_child(mounting, camera_frame, stamp)
        return mounting

    def _with_child(self, mounting: Mounting, camera_frame: str, stamp: TimeMessage) -> Mounting:
        """Return a mounting with the pose of a frame above the camera that is not the robot's."""
        try:
            return replace(mounting, cam_T_child=self._lookup.at(camera_frame, mounting.child_frame, stamp, wait=False))
        except RosError as error:
            return replace(mounting, child_frame="", problem=error)

    def _mounting_problem(self, camera_frame: str, mounting: Mounting) -> RosError | None:
        """Return what is probably wrong with the camera's frame."""
        frames, known = self._frames, self._lookup.frames
        looks_up = mounting.base_T_cam is not None and mounting.base_T_cam[2, 2] > LOOKS_UP
        if looks_up and "optical" not in camera_frame:  # a frame that calls itself optical may look up
            return RosError(f"frame {camera_frame} of the images", "must be the optical frame (z ahead, y down)",
                            "one that looks straight up from the robot",
                            "if that is the camera's body, name its optical frame with frames.camera")
        is_apart = not self._has_odometry and not self._lookup.connected(frames.base, camera_frame)
        if mounting.child_frame and is_apart and {frames.odom, frames.base} & known:
            near = get_close_matches(camera_frame, sorted(known - {camera_frame}), NEAR_NAMES, 0.0)
            return RosError(f"frame {camera_frame} of the images", f"must be connected to {frames.base} on tf",
                            remedy="publish the camera's mounting, or set frames.camera; similar frames on tf: "
                                   f"{', '.join(near)}")
        return None

    def _second_parent(self, child_frame: str, parent: str) -> RosError:
        root, frames = self._lookup.root_of(child_frame, self._frames.map), self._frames
        return RosError(f"tf frame {child_frame}", f"must have no parent but {frames.map}", parent,
                        f"set frames.odom to {root} if that is the frame of the odometry, or publish_tf to false if "
                        f"another node owns {parent} -> {child_frame}")

    def _base_T_cam(self, camera_frame: str, stamp: TimeMessage) -> np.ndarray | None:
        if not self._lookup.connected(self._frames.base, camera_frame):
            return None
        try:
            return self._checked(self._lookup.at(self._frames.base, camera_frame, stamp, wait=False))
        except RosError:  # a moving mounting whose transform is late: no base pose for this image
            return None

    def _checked(self, a_T_cam: np.ndarray) -> np.ndarray:
        """Refuse an implausibly long transform: products with it lose their precision."""
        far_m = float(np.abs(a_T_cam[:3, 3]).max())
        if not far_m < MAX_DISTANCE_M:
            raise RosError("tf of the camera", f"must lie within {MAX_DISTANCE_M:g} m", f"{far_m:g} m",
                           "check the publishers of tf")
        return a_T_cam

    def _child_frame(self, camera_frame: str) -> str:
        frames = self._frames
        self._has_odometry = self._has_odometry or self._lookup.connected(frames.odom, camera_frame)
        if self._has_odometry:
            return frames.odom
        may_come = frames.odom or not self._lookup.parent_of(camera_frame)
        if may_come and self._now_s() - self._started_s < ODOMETRY_GRACE_S:
            return ""
        if self._lookup.connected(frames.base, camera_frame):
            return frames.base
        return self._lookup.root_of(camera_frame, frames.map)


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


class Tf:
    """A node's tf: listener, look-up and broadcaster."""

    def __init__(self, node: Node, frames: FramesConfig) -> None:
        """Listen to tf on the node's executor."""
        self._node, self._buffer = node, GuardedBuffer()
        self.lookup = TfLookup(self._buffer, frames.tf_wait_s)
        self._listener = TransformListener(self._buffer, node)
        self._broadcaster = TransformBroadcaster(node)
        self._ownership = TfOwnership()
        self._buffer.watch = self._ownership.note_heard

    def send(self, transforms: list[TransformStamped]) -> None:
        """Publish transforms in a single message."""
        self._ownership.note_sent(transforms)
        self._broadcaster.sendTransform(transforms)

    @property
    def problem(self) -> str:
        """That another node publishes a transform of this one, with the nodes that may be it; empty for no problem."""
        if not self._ownership.other:
            return ""
        own = self._node.get_fully_qualified_name()
        publishers = self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(TF_TOPIC))
        senders = {f"{info.node_namespace.rstrip('/')}/{info.node_name}" for info in publishers}
        return (f"{self._ownership.other} comes from another node, too (one of {', '.join(sorted(senders - {own}))}), "
                f"and the robot jumps between them: set publish_tf of {own} or of that node to false")

    def clear(self) -> None:
        """Remove the transforms from before a jump back in time; see `GuardedBuffer`."""
        self._buffer.clear()

    def wait_while(self, active: ExitStack) -> None:
        """Let look-ups wait until `active` closes. Call it after pushing the worker's stop, so that waiting look-ups
        end before the worker is joined."""
        self.lookup.resume()
        active.callback(self.lookup.stop)

    def close(self) -> None:
        """End waiting look-ups, the listener and the broadcaster."""
        self.lookup.stop()
        self._listener.unregister()
        self._node.destroy_publisher(self._broadcaster.pub_tf)


class Upright:
    """Tells the quarter turns that bring images upright, from where tf has the camera on the robot.

    A camera whose mounting is not on tf yet, or no more, is as it was last; at first upright.
    """

    def __init__(self, lookup: TfLookup, base_frame: str) -> None:
        self._lookup, self._base_frame = lookup, base_frame
        self._turns: dict[str, int] = {}

    def turns(self, camera_frame: str) -> int:
        """Return the quarter turns clockwise after which the images of a camera are upright."""
        base_T_cam = self._lookup.newest(self._base_frame, camera_frame)
        if base_T_cam is not None:
            self._turns[camera_frame] = upright_turns(base_T_cam)
        return self._turns.get(camera_frame, 0)
