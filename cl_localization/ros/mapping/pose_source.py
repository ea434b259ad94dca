"""The camera poses for mapping: from tf, or from a topic of stamped poses."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from cl_localization.errors import RosError
from cl_localization.ros.conversions import matrix_of, transform_message
from cl_localization.ros.nodes.config import FramesConfig, PoseSourceConfig
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup

POSED = "posed"
MAX_DISTANCE_M = 1e5
"""Positions are stored as float32: 100 km from the map's origin they are accurate to 8 mm."""


class PoseSource(Protocol):
    """Provides the camera's pose in the map at an image's timestamp."""

    def map_T_cam(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """Return the pose (4, 4); raises RosError if it is not available in time or too far from the origin."""
        ...

    def close(self) -> None:
        """End subscriptions and waiting look-ups."""
        ...


class TfPoseSource:
    """The transform map -> camera on tf."""

    def __init__(self, lookup: TfLookup, frames: FramesConfig) -> None:
        """Use `lookup`."""
        self._lookup, self._map_frame = lookup, frames.map

    def map_T_cam(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """See `PoseSource`."""
        return within_reach(self._lookup.at(self._map_frame, camera_frame, stamp))

    def close(self) -> None:
        """Do nothing: the look-up belongs to the node's tf."""


class TopicPoseSource:
    """Poses from a topic, interpolated to the image's timestamp in a tf buffer of their own."""

    def __init__(self, node: Node, lookup: TfLookup, frames: FramesConfig, config: PoseSourceConfig) -> None:
        """Subscribe to `odom` or `pose`; base_T_cam comes from `lookup`."""
        self._node, self._tf, self._frames = node, lookup, frames
        self._of_camera = config.source == "pose" and config.pose_of == "camera"
        self._buffer = GuardedBuffer()
        self._poses = TfLookup(self._buffer, frames.tf_wait_s)
        odometry = config.source == "odometry"
        self._subscription = node.create_subscription(
            Odometry if odometry else PoseStamped, "odom" if odometry else "pose",
            self._take_odometry if odometry else self._take_pose, qos_profile_sensor_data)

    def map_T_cam(self, camera_frame: str, stamp: Time) -> np.ndarray:
        """See `PoseSource`."""
        map_T_posed = self._poses.at(self._frames.map, POSED, stamp)
        posed_T_cam = np.eye(4) if self._of_camera else self._tf.at(self._frames.base, camera_frame, stamp)
        return within_reach(map_T_posed @ posed_T_cam)

    def close(self) -> None:
        """See `PoseSource`."""
        self._poses.stop()
        self._node.destroy_subscription(self._subscription)

    def _take_odometry(self, message: Odometry) -> None:
        self._take_pose(PoseStamped(header=message.header, pose=message.pose.pose))

    def _take_pose(self, message: PoseStamped) -> None:
        """Add a pose to the buffer; an invalid one is logged and ignored."""
        try:
            transform = TransformStamped(child_frame_id=POSED, transform=transform_message(matrix_of(message.pose)))
        except RosError as error:
            self._node.get_logger().error(str(error), throttle_duration_sec=1.0)
            return
        transform.header.stamp, transform.header.frame_id = message.header.stamp, self._frames.map
        self._buffer.set_transform(transform, "pose topic")


def within_reach(map_T_cam: np.ndarray) -> np.ndarray:
    """Return the pose (4, 4) unchanged; raises RosError if it is too far from the origin for float32 positions."""
    far_m = float(np.abs(map_T_cam[:3, 3]).max())
    if not far_m < MAX_DISTANCE_M:
        raise RosError("pose of the camera", f"must lie within {MAX_DISTANCE_M:g} m of the map's origin",
                       f"{far_m:g} m", "choose a map frame near the robot")
    return map_T_cam


def make_pose_source(node: Node, lookup: TfLookup, frames: FramesConfig, config: PoseSourceConfig) -> PoseSource:
    """Return the pose source selected by the parameter poses.source."""
    return TfPoseSource(lookup, frames) if config.source == "tf" else TopicPoseSource(node, lookup, frames, config)
