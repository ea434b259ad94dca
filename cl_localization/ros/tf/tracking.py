"""The tracker in a node: fed by the worker with images, by the executor with the time that passes, and heard on tf."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from cl_localization.errors import RosError
from cl_localization.geometry.robot_pose import RobotPose, robot_pose
from cl_localization.localization.result import Localization
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.images.images_clock import ImagesClock
from cl_localization.ros.nodes.config import LocalizerNodeConfig
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import Mounting, RobotFrames, Tf
from cl_localization.ros.tf.map_tf import MapTf
from cl_localization.tracking.gating import NANOSECONDS
from cl_localization.tracking.tracker import State, Track, Tracker


@dataclass(frozen=True, eq=False)
class Tracked:
    """What the tracker made of an image, and where the robot was.

    Attributes:
        robot: the base in the map; None where the pose is not trusted or tf does not know where the camera is on the
            base.
        has_odometry: whether tf knew the camera in the odometry's frame at the image's stamp.
    """

    track: Track
    robot: RobotPose | None = None
    has_odometry: bool = False


class Tracking:
    """A tracker, what it means for tf, and the time in which no image comes."""

    def __init__(self, node: ManagedNode, tf: Tf, announce: Callable[[Track, int], None]) -> None:
        """Begin LOST.

        Args:
            announce: gets what was decided without an image, and the stamp of that in nanoseconds.
        """
        self._node, self._tf, self._announce = node, tf, announce
        self._tracker = Tracker(node.config.tracker)
        self._frames = RobotFrames(node.config.frames, tf.lookup)
        self._map_tf = MapTf(node.config, tf.send)
        self._clock = ImagesClock(node.get_clock())
        self._newest_ns = 0
        self._lock = threading.Lock()

    @property
    def state(self) -> State:
        """LOST, RELOCALIZED or TRACKING."""
        return self._tracker.state

    def arrived(self, bundle: ImageBundle) -> None:
        """Executor: an image has come. After a jump back in time what tf knows from before is forgotten.

        One that is no newer than those before does not count: a driver that repeats itself is a camera that has
        stopped.
        """
        with self._lock:
            restarts = self._tracker.restarts(bundle.stamp_ns) and bundle.stamp_ns < self._newest_ns
            if restarts:
                self._tf.clear()
            if restarts or bundle.stamp_ns > self._newest_ns:
                self._newest_ns = bundle.stamp_ns
                self._clock.arrived(bundle.stamp_ns)

    def refusal(self, stamp_ns: int) -> str:
        """Worker: why an image of this stamp is not worked on; empty when it is."""
        return self._tracker.refusal(stamp_ns)

    def odom_T_cam(self, bundle: ImageBundle) -> np.ndarray | None:
        """Worker: the camera (4, 4) in the odometry's frame at an image's stamp; None where tf does not know it by
        now."""
        odom = self._node.config.frames.odom
        if not odom or not bundle.camera_frame:
            return None
        try:
            return self._tf.lookup.at(odom, bundle.camera_frame, bundle.image.header.stamp, wait=False)
        except RosError:
            return None

    def track(self, found: Localization, bundle: ImageBundle) -> Tracked:
        """Worker: decide about an image, and send what follows to tf."""
        mounting = self._frames.at(bundle.camera_frame, bundle.image.header.stamp)
        if mounting.problem is not None:
            self._node.report(mounting.problem)
        with self._lock:
            if self._tracker.restarts(bundle.stamp_ns):
                self._map_tf.restart()
            track = self._tracker.update(found, mounting.odom_T_cam)
            robot = self._shown(found, track, mounting)
        return Tracked(track, None if mounting.base_T_cam is None else robot, mounting.odom_T_cam is not None)

    def forget(self, reason: str) -> None:
        """Worker: be LOST, because somebody asks for it or the map is another one."""
        with self._lock:
            self._tracker.reset()
            self._map_tf.silence()
            now_ns = self._clock.now_ns()
        self._announce(Track(State.LOST, False, reason), now_ns)

    def tick(self) -> None:
        """Executor, often: repeat what tf was told, or be LOST when images stop coming."""
        with self._lock:
            now_ns = self._clock.now_ns()
            silent = self._clock.silent_ns() > self._tracker.config.lost_after_s * NANOSECONDS
            lost = self._tracker.elapse(now_ns) if silent else None
            if self._tracker.state == State.LOST:
                self._map_tf.silence()
            elif self._node.config.publish_tf:
                self._map_tf.repeat(now_ns)
        if lost is not None:
            self._announce(replace(lost, reason=f"no new images come; {lost.reason}"), now_ns)

    def use(self, config: LocalizerNodeConfig) -> None:
        """Executor or worker: use new values of live parameters."""
        with self._lock:
            self._tracker.config, self._map_tf.config = config.tracker, config

    def _shown(self, found: Localization, track: Track, mounting: Mounting) -> RobotPose | None:
        """Tell tf of a trusted pose, or be silent when LOST; return the pose of the robot if it is trusted."""
        config = self._node.config
        if track.state == State.LOST or not config.publish_tf:
            self._map_tf.silence()
        if not track.trusted:
            return None
        if mounting.base_T_cam is None:
            robot, known = RobotPose(found.world_T_cam, found.covariance), not config.two_d
        else:
            robot, known = robot_pose(found.world_T_cam, found.covariance, mounting.base_T_cam, config.two_d), True
        if not known:
            self._node.report(RosError(f"tf frame {config.frames.base}", "must be connected with the camera for two_d",
                                       remedy="publish the mounting, or set frames.base"))
        elif config.publish_tf:
            self._map_tf.show(robot, mounting, track.at_once, found.stamp_ns, self._clock.now_ns())
        return robot
