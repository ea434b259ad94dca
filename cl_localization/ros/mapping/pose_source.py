"""The camera poses for mapping: from tf, or from a topic of stamped poses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data

from cl_localization.errors import RosError
from cl_localization.ros.conversions import matrix_of, plain, transform_message
from cl_localization.ros.nodes.config import FramesConfig, PoseSourceConfig
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup

PERIOD_S = 0.5
"""Time between two looks at the publishers."""

POSED = "posed"

ODOMETRY_TYPES = {"nav_msgs/msg/Odometry": Odometry}
POSE_TYPES = {"geometry_msgs/msg/PoseStamped": PoseStamped,
              "geometry_msgs/msg/PoseWithCovarianceStamped": PoseWithCovarianceStamped,
              "geometry_msgs/msg/TransformStamped": TransformStamped} | ODOMETRY_TYPES
"""Types that the topics may have."""


class TfPoseSource:
    """The transform map -> camera on tf.

    Attributes:
        problem: what is not as it should be, for /diagnostics; empty for none.
    """

    problem = ""

    def __init__(self, lookup: TfLookup, frames: FramesConfig) -> None:
        """Use `lookup`."""
        self._lookup, self._map_frame = lookup, frames.map

    def map_T_cam(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """Return the pose (4, 4); raises RosError if it is not available in time."""
        return self._lookup.at(self._map_frame, camera_frame, stamp)


@dataclass(frozen=True, eq=False)
class GivenPose:
    """A pose of a message.

    Attributes:
        frame, child: names of the frames; empty where the message has none.
        sigma_m: largest standard deviation of the position; 0 where it is not known.
    """

    stamp: Time
    frame: str
    child: str
    frame_T_child: np.ndarray
    sigma_m: float = 0.0


class TopicPoseSource:
    """Poses from a topic, interpolated to the image's timestamp in a tf buffer of their own.

    A pose in another frame than the map, or of another frame than the camera or the base, is transformed by tf.

    Attributes:
        problem: why the last pose was not used; empty for no problem.
    """

    def __init__(self, node: ManagedNode, lookup: TfLookup, frames: FramesConfig, config: PoseSourceConfig) -> None:
        """Subscribe to `odom` or `pose` while the node is active."""
        self._node, self._tf, self._frames, self._config = node, lookup, frames, config
        self._buffer = GuardedBuffer()
        self._poses = TfLookup(self._buffer, frames.tf_wait_s)
        self._newest: GivenPose | None = None
        self._problem = ""
        self._is_odometry = config.source == "odometry"
        self._topic = "odom" if self._is_odometry else "pose"
        kinds = ODOMETRY_TYPES if self._is_odometry else POSE_TYPES
        self._subscription = AnyTypeSubscription(node, self._topic, kinds, self._take)
        node.active.callback(self._poses.stop)

    @property
    def problem(self) -> str:
        """See the class."""
        return self._subscription.problem or self._problem

    def map_T_cam(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """See `TfPoseSource`."""
        if self._newest is None:
            raise RosError(f"poses on {self._node.resolve_topic_name(self._topic)}", "must arrive before images",
                           self.problem or "none")
        frame, child = self._frame_of(self._newest), self._child_of(self._newest, camera_frame)
        frame_T_child = self._poses.at(frame, POSED, stamp)
        map_T_frame = np.eye(4) if self._is_map(frame) else self._between("frame_id", self._frames.map, frame, stamp)
        child_T_cam = np.eye(4) if child == camera_frame else self._between("child", child, camera_frame, stamp)
        return map_T_frame @ frame_T_child @ child_T_cam

    def _is_map(self, frame: str) -> bool:
        """Whether poses of a frame are poses in the map; with odometry as the source its frame is the map."""
        return frame == self._frames.map or (self._is_odometry and frame == self._frames.odom)

    def _frame_of(self, pose: GivenPose) -> str:
        return pose.frame or self._frames.map

    def _child_of(self, pose: GivenPose, camera_frame: str) -> str:
        if pose.child:
            return pose.child
        return camera_frame if self._config.pose_of == "camera" and not self._is_odometry else self._frames.base

    def _between(self, what: str, target: str, source: str, stamp: Time) -> np.ndarray:
        """Return the transform between the map or the camera and a frame that a message names."""
        if not self._tf.connected(target, source):
            named, other = (source, target) if what == "frame_id" else (target, source)
            raise RosError(f"{what} of {self._node.resolve_topic_name(self._topic)}",
                           f"must be {other}, or connected to it on tf", named, "see poses.source and frames")
        return self._tf.at(target, source, stamp)

    def _take(self, message: Any) -> None:
        """Add a pose to the buffer; an invalid one is logged and ignored."""
        try:
            pose = self._checked(given_pose(message))
            transform = TransformStamped(child_frame_id=POSED, transform=transform_message(pose.frame_T_child))
        except RosError as error:
            self._problem = str(error)
            self._node.get_logger().error(self._problem, throttle_duration_sec=1.0)
            return
        transform.header.stamp, transform.header.frame_id = pose.stamp, self._frame_of(pose)
        self._buffer.set_transform(transform, "pose topic")
        self._newest, self._problem = pose, ""  # last: another thread that sees the pose can look it up

    def _checked(self, pose: GivenPose) -> GivenPose:
        most_m = self._config.max_sigma_m
        if not pose.sigma_m <= most_m:
            raise RosError(f"pose on {self._node.resolve_topic_name(self._topic)}",
                           f"must have a standard deviation of at most {most_m:g} m", f"{pose.sigma_m:.2f} m",
                           "see poses.max_sigma_m")
        return pose


def given_pose(message: PoseStamped | PoseWithCovarianceStamped | TransformStamped | Odometry) -> GivenPose:
    """Return the pose of a message of any of the types. Raises RosError if it is none."""
    stamp, frame = message.header.stamp, plain(message.header.frame_id)
    child = plain(getattr(message, "child_frame_id", ""))
    if isinstance(message, TransformStamped):
        return GivenPose(stamp, frame, child, matrix_of(message.transform))
    if isinstance(message, PoseStamped):
        return GivenPose(stamp, frame, child, matrix_of(message.pose))
    sigma_m = 0.0
    if isinstance(message, PoseWithCovarianceStamped):
        variances = np.reshape(message.pose.covariance, (6, 6)).diagonal()[:3]
        sigma_m = float(np.sqrt(variances.clip(0).max()))
    return GivenPose(stamp, frame, child, matrix_of(message.pose.pose), sigma_m)


PoseSource = TfPoseSource | TopicPoseSource


def make_pose_source(node: ManagedNode, lookup: TfLookup, frames: FramesConfig, config: PoseSourceConfig) -> PoseSource:
    """Return the pose source selected by the parameter poses.source."""
    return TfPoseSource(lookup, frames) if config.source == "tf" else TopicPoseSource(node, lookup, frames, config)


class AnyTypeSubscription:
    """Subscribes with one of several types: that of the publisher, once there is one.

    Attributes:
        problem: that the publisher has another type; empty for no problem.
    """

    def __init__(self, node: ManagedNode, topic: str, kinds: Mapping[str, type], take: Callable[[Any], None]) -> None:
        """Subscribe with the first type until a publisher of another one appears, while the node is active.

        Args:
            kinds: the message type of each name, as `geometry_msgs/msg/PoseStamped`.
            take: gets the messages.
        """
        self.problem = ""
        self._node, self._topic, self._kinds, self._take = node, topic, kinds, take
        self._name = node.resolve_topic_name(topic)
        self._kind = next(iter(kinds))
        self._subscription = self._subscribed()
        node.active.callback(self._close)
        node.every(PERIOD_S, self._look)

    def _look(self) -> None:
        """Subscribe with the type of a publisher, if none has the present one."""
        published = {info.topic_type for info in self._node.get_publishers_info_by_topic(self._name)}
        known = sorted(published & set(self._kinds))
        self.problem = ""
        if published and not known:
            self.problem = (f"topic {self._name} has the type {', '.join(sorted(published))}, must be one of "
                            f"{', '.join(self._kinds)}")
        elif known and self._kind not in known:
            self._close()
            self._kind = known[0]
            self._subscription = self._subscribed()

    def _close(self) -> None:
        self._node.destroy_subscription(self._subscription)

    def _subscribed(self) -> Any:
        return self._node.create_subscription(self._kinds[self._kind], self._topic, self._take, qos_profile_sensor_data)
