"""Mapping with poses that the map finds itself; the mapper then tells tf where the robot is."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from nav_msgs.msg import Path
from std_msgs.msg import Header

from cl_localization.config import TrackerConfig
from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.robot_pose import FORWARD_BASE_T_CAM, RobotPose, robot_pose
from cl_localization.mapper import Mapper
from cl_localization.msg import MappingStatus
from cl_localization.ros.conversions import LATCHED, pose_message, pose_with_covariance, time_message
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.images.images_clock import ImagesClock
from cl_localization.ros.mapping.given_poses import Learned
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import ODOMETRY_GRACE_S, Mounting, RobotFrames, Tf
from cl_localization.ros.tf.map_tf import MapTf
from cl_localization.ros.workers.worker import Worker
from cl_localization.slam import Slam, SlamResult
from cl_localization.tracking.image_period import ImagePeriod

PATH_PERIOD_S = 1.0

LOST_AFTER_S = TrackerConfig().lost_after_s
"""map -> odom is not repeated longer than this after the last pose, or image; longer where images come seldom."""


class OwnPoses:
    """Publishes map -> odom (or map -> base) on tf, `~/pose` and `~/path`; with the methods of `GivenPoses`.

    They are given in the part of the map where the first pose of this run was. While the camera is in another part, one
    that has not been joined to it yet, nothing is published: nobody knows where the two lie to each other.
    """

    def __init__(self, node: ManagedNode, tf: Tf) -> None:
        """Create the publishers."""
        self._node = node
        self._robot_frames = RobotFrames(node.config.frames, tf.lookup)
        self._map_tf = MapTf(node.config, tf.send)
        self._clock, self._period = ImagesClock(node.get_clock()), ImagePeriod()
        self._lock = threading.Lock()
        self._pose = node.publisher(PoseWithCovarianceStamped, "~/pose")
        self._path = node.publisher(Path, "~/path", LATCHED)
        self._newest_ns = self._posed_ns = 0
        self._first_image_s: float | None = None
        self._is_fresh = False

    @property
    def problem(self) -> str:
        """See `GivenPoses`."""
        result = self._result
        if result is None or self._is_at_home():
            return ""
        if result.scene:
            return f"own poses: {result.status} in {result.scene}, a part not joined to {self._home}"
        if result.status == "starting":
            return ("own poses: starting; without depth, a camera must move sideways before things near and far to see "
                    "how far away they are")
        return f"own poses: {result.status}"

    def start(self, worker: Worker[ImageBundle]) -> None:
        """See `GivenPoses`."""
        self._node.every(self._node.config.tf_period_s, self._tick)
        self._node.every(PATH_PERIOD_S, lambda: worker.run(self._publish_path))

    def use(self, mapper: Mapper) -> None:
        """See `GivenPoses`."""
        self._slam = Slam(mapper, self._node.config.slam, trajectory_length=self._node.config.path_length)
        self._result: SlamResult | None = None
        self._home = ""
        with self._lock:
            self._map_tf.silence()
        self._path.publish(Path(header=Header(frame_id=self._node.config.frames.map)))  # not that of another map

    def observe_arrival(self, bundle: ImageBundle) -> None:
        """See `GivenPoses`."""
        with self._lock:
            self._clock.observe(bundle.stamp_ns)
            self._period.observe(bundle.stamp_ns)

    def learn(self, bundle: ImageBundle, learning: bool) -> Learned:
        """See `GivenPoses`."""
        self._is_fresh = False
        frame = bundle.frame()
        self._slam.mapper.frames.encode(frame)  # before the look-up, so that the odometry has time to arrive
        mounting = self._robot_frames.at(bundle.camera_frame, bundle.image.header.stamp)
        if mounting.problem is not None:
            self._node.report(mounting.problem)
        if not self._home and (missing := self._missing(mounting)) and self._may_hear_of_it():
            return Learned(f"waiting for tf to say {missing}")
        # the map's z points up: where tf does not say how the camera is mounted, it looks ahead
        self._slam.begin_world_T_cam = FORWARD_BASE_T_CAM if mounting.base_T_cam is None else mounting.base_T_cam
        result = self._slam.add(replace(frame, odom_T_cam=mounting.odom_T_cam), learning)
        self._note(result)
        self._publish(bundle, mounting, result)
        reason = result.status if result.mapping is None else f"{result.status}; {result.mapping.reason}"
        posed = None if result.world_T_cam is None else replace(frame, world_T_cam=result.world_T_cam)
        return Learned(reason if learning else f"{reason}; learning is off", posed, result.mapping)

    def _missing(self, mounting: Mounting) -> str:
        """Return what tf does not say of an image that a map might begin with; empty if nothing."""
        if mounting.base_T_cam is None:
            return "how the camera is mounted: the map begins at the robot's base"
        if mounting.odom_T_cam is None and self._node.config.frames.odom:
            return "how the robot moves: from the first image on, odometry tells how far it went"
        return ""

    def _may_hear_of_it(self) -> bool:
        """Return whether tf that comes with the first image may still be on its way."""
        now_s = time.monotonic()
        self._first_image_s = now_s if self._first_image_s is None else self._first_image_s
        return now_s - self._first_image_s < ODOMETRY_GRACE_S

    def finish(self) -> None:
        """See `GivenPoses`."""
        self._slam.finish()

    def fill_status(self, status: MappingStatus) -> None:
        """See `GivenPoses`."""
        status.loops, status.joined = self._slam.loops, self._slam.joined
        if self._result is not None and self._is_fresh:  # not of the image before one that failed
            status.own_pose, status.scene = self._result.status, self._result.scene
            status.is_posed = self._is_at_home()

    def _note(self, result: SlamResult) -> None:
        """Worker: keep a result, and say what a user waits for."""
        before, self._result, self._is_fresh = self._result, result, True
        if result.scene and (not self._home or not self._has_keyframes(self._home)):
            self._home = result.scene
        if before is None or result.status != before.status:
            if result.status in ("began", "relocalized", "loop closed", "joined", "scaled"):
                self._node.get_logger().info(f"own poses: {result.status} in {result.scene}")
            elif result.status == "starting":
                self._node.get_logger().info(self.problem)
            elif result.status == "lost":
                self._node.get_logger().warning("own poses: lost; nothing is learned until the place is recognised")

    def _is_at_home(self) -> bool:
        return self._result is not None and self._result.world_T_cam is not None and self._result.scene == self._home

    def _has_keyframes(self, scene: str) -> bool:
        map_code = self._slam.mapper.map_code
        of_keyframes = map_code.keyframes["keyframe_scenes"][map_code.keyframes.rows()]
        return bool(np.any(of_keyframes == map_code.scene_names.index(scene)))

    def _publish(self, bundle: ImageBundle, mounting: Mounting, result: SlamResult) -> None:
        """Worker: publish a pose to tf and `~/pose`; become silent where there is none."""
        config = self._node.config
        with self._lock:
            if bundle.stamp_ns + LOST_AFTER_S * NS_PER_S < self._newest_ns:
                self._map_tf.restart()
                self._posed_ns = 0
            self._newest_ns = bundle.stamp_ns
            if not self._is_at_home() or result.world_T_cam is None or result.covariance is None:
                if bundle.stamp_ns - self._posed_ns > self._period.widened(LOST_AFTER_S):
                    self._map_tf.silence()
                return
            self._posed_ns = bundle.stamp_ns
            robot = RobotPose(result.world_T_cam, result.covariance)
            if mounting.base_T_cam is not None:
                robot = robot_pose(result.world_T_cam, result.covariance, mounting.base_T_cam, two_d=False)
            if config.publish_tf:
                self._map_tf.config = config
                at_once = result.status != "tracking"
                self._map_tf.show(robot, mounting, at_once, bundle.stamp_ns, self._clock.now_ns())
            else:
                self._map_tf.silence()
        header = Header(stamp=bundle.image.header.stamp, frame_id=config.frames.map)
        self._pose.publish(PoseWithCovarianceStamped(
            header=header, pose=pose_with_covariance(result.world_T_cam, result.covariance)))

    def _tick(self) -> None:
        """Executor, periodically: repeat map -> odom, but not long after the last image."""
        with self._lock:
            if self._clock.silent_ns() > self._period.widened(LOST_AFTER_S):
                self._map_tf.silence()
            elif self._node.config.publish_tf:
                self._map_tf.repeat(self._clock.now_ns())

    def _publish_path(self) -> None:
        """Worker, periodically: publish the path, as the map has it now, to those who look at it."""
        if not self._path.get_subscription_count() or not self._home or not self._has_keyframes(self._home):
            return
        frame_id = self._node.config.frames.map
        scene = self._slam.mapper.map_code.scene_names.index(self._home)
        poses = [PoseStamped(header=Header(stamp=time_message(stamp_ns), frame_id=frame_id), pose=pose_message(pose))
                 for stamp_ns, pose in self._slam.trajectory.poses(scene)]
        if poses:
            self._path.publish(Path(header=poses[-1].header, poses=poses))
