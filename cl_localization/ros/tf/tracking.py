"""The tracker in the node: updated by the worker with images and by the executor with time; publishes to tf."""

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
from cl_localization.tracking.tracker import State, Track, Tracker

REST_AFTER_NS = 10_000_000_000
"""Silence of the images after which a lost localizer rests: longer than any image is in work."""


class Tracking:
    """A tracker with its tf output and its timeout for missing images.

    Attributes:
        is_owned_elsewhere: returns whether another node publishes map -> odom, so that this one does not.
        problem: what is wrong with the frames of the last image; empty for no problem.
    """

    def __init__(self, node: ManagedNode, tf: Tf, announce: Callable[[Track, int], None]) -> None:
        """Start LOST.

        Args:
            announce: gets decisions made without an image, and their time in nanoseconds.
        """
        self._node, self._tf, self._announce = node, tf, announce
        self._tracker = Tracker(node.config.tracker)
        self._frames = RobotFrames(node.config.frames, tf.lookup)
        self._map_tf = MapTf(node.config, tf.send)
        self._clock = ImagesClock(node.get_clock())
        self._newest_ns, self.problem = 0, ""
        self._lock = threading.Lock()
        self.is_owned_elsewhere: Callable[[], bool] = lambda: False

    def start(self) -> None:
        """Repeat map -> odom, and look whether images come, while the node is active."""
        self._timer = self._node.every(self._node.config.tf_period_s, self._tick)

    @property
    def _publishes(self) -> bool:
        return self._node.config.publish_tf and not self.is_owned_elsewhere()

    @property
    def state(self) -> State:
        """LOST, RELOCALIZED or TRACKING."""
        return self._tracker.state

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """Executor: note an image's arrival; a jump back in time clears tf. A repeated timestamp does not count."""
        with self._lock:
            restarts = self._tracker.restarts(bundle.stamp_ns) and bundle.stamp_ns < self._newest_ns
            if restarts:
                self._tf.clear()
            if restarts or bundle.stamp_ns > self._newest_ns:
                self._newest_ns = bundle.stamp_ns
                self._clock.observe(bundle.stamp_ns)
        if self._timer.is_canceled():
            self._timer.reset()

    def refusal(self, stamp_ns: int) -> str:
        """Worker: why an image with this timestamp is not localized; empty if it is."""
        return self._tracker.refusal(stamp_ns)

    def mounting(self, bundle: ImageBundle) -> Mounting:
        """Worker: the camera's poses on tf at an image's timestamp; waits for odometry later than its image."""
        mounting = self._frames.at(bundle.camera_frame, bundle.image.header.stamp)
        # the first image after a jump back in time removes the odometry of those before it that are still in work
        problem = None if bundle.stamp_ns > self._newest_ns else mounting.problem
        self.problem = str(problem or "")
        if problem is not None:
            self._node.report(problem)
        return mounting

    def track(self, found: Localization, mounting: Mounting) -> Track:
        """Worker: update the tracker with a localized image, and publish to tf."""
        with self._lock:
            if self._tracker.restarts(found.stamp_ns):
                self._map_tf.restart()
            track = self._tracker.update(found, mounting.odom_T_cam)
            robot = self._send(found, track, mounting)
        return replace(track, robot=None if mounting.base_T_cam is None else robot)

    def without_pose(self, stamp_ns: int, reason: str) -> Track:
        """Worker: decide about an image that cannot be read. The tracker takes nothing from it but the time, as an
        older image may still be in work, which it would refuse after this one."""
        with self._lock:
            lost = self._tracker.elapse(stamp_ns)
            if lost is None:
                return Track(self._tracker.state, False, reason)
            self._map_tf.silence()
        return replace(lost, reason=f"{lost.reason}; {reason}")

    def forget(self, reason: str) -> None:
        """Worker: reset to LOST, on request or after a change of the map."""
        with self._lock:
            self._tracker.reset()
            self._map_tf.silence()
            now_ns = self._clock.now_ns()
        self._announce(Track(State.LOST, False, reason), now_ns)

    def _tick(self) -> None:
        """Executor, periodically: repeat map -> odom; become LOST when no more images arrive, and rest a while later,
        until the next one: waking up for nothing takes most of what an idle node takes."""
        with self._lock:
            now_ns = self._clock.now_ns()
            silent = self._clock.silent_ns() > self._tracker.patience_ns
            lost = self._tracker.elapse(now_ns) if silent else None
            if self._tracker.state == State.LOST:
                self._map_tf.silence()
                if silent and self._clock.silent_ns() > REST_AFTER_NS:
                    self._timer.cancel()
            elif self._publishes:
                self._map_tf.repeat(now_ns)
        if lost is not None:
            self._announce(replace(lost, reason=f"no new images; {lost.reason}"), now_ns)

    def use(self, config: LocalizerNodeConfig) -> None:
        """Executor or worker: use new values of live parameters."""
        with self._lock:
            self._tracker.config, self._map_tf.config = config.tracker, config

    def _send(self, found: Localization, track: Track, mounting: Mounting) -> RobotPose | None:
        """Publish a trusted pose to tf, nothing when LOST; return the robot's pose if it is trusted."""
        config = self._node.config
        if track.state == State.LOST or not self._publishes:
            self._map_tf.silence()
        if not track.trusted:
            return None
        if mounting.base_T_cam is None:
            robot, known = RobotPose(found.world_T_cam, found.covariance), not config.two_d
        else:
            robot, known = robot_pose(found.world_T_cam, found.covariance, mounting.base_T_cam, config.two_d), True
        if not known:
            self._node.report(RosError(f"tf frame {config.frames.base}", "must be connected to the camera for two_d",
                                       remedy="publish the mounting, or set frames.base"))
        elif self._publishes:
            self._map_tf.show(robot, mounting, track.at_once, found.stamp_ns, self._clock.now_ns())
        return robot
