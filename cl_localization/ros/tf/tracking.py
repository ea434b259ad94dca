"""The tracker in a node: the worker gives it images, the executor the time that passes, and tf shows its poses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

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

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """Executor: an image has come. After a jump back in time, tf is cleared.

        An image that is no newer than those before does not count: a driver that repeats itself has stopped.
        """
        with self._lock:
            restarts = self._tracker.restarts(bundle.stamp_ns) and bundle.stamp_ns < self._newest_ns
            if restarts:
                self._tf.clear()
            if restarts or bundle.stamp_ns > self._newest_ns:
                self._newest_ns = bundle.stamp_ns
                self._clock.observe(bundle.stamp_ns)

    def refusal(self, stamp_ns: int) -> str:
        """Worker: why an image of this stamp is not worked on; empty when it is."""
        return self._tracker.refusal(stamp_ns)

    def mounting(self, bundle: ImageBundle) -> Mounting:
        """Worker: where the camera was at an image's stamp; waits briefly for odometry that comes after its image."""
        mounting = self._frames.at(bundle.camera_frame, bundle.image.header.stamp)
        if mounting.problem is not None:
            self._node.report(mounting.problem)
        return mounting

    def track(self, found: Localization, mounting: Mounting) -> Track:
        """Worker: decide about a localized image, and send what follows to tf."""
        with self._lock:
            if self._tracker.restarts(found.stamp_ns):
                self._map_tf.restart()
            track = self._tracker.update(found, mounting.odom_T_cam)
            robot = self._send(found, track, mounting)
        return replace(track, robot=None if mounting.base_T_cam is None else robot)

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

    def _send(self, found: Localization, track: Track, mounting: Mounting) -> RobotPose | None:
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
