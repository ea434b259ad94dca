"""The publishers of the sequence player: image, camera_info, depth, tf, odometry, ground truth and clock."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Bool, Header
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from cl_localization.data.frame import Frame
from cl_localization.geometry.se3 import inverse
from cl_localization.ros import conversions
from cl_localization.ros.nodes.config import SequencePlayerConfig
from cl_localization.ros.nodes.managed_node import ManagedNode


class SequenceOutputs:
    """The publishers of the sequence player. Images are reliable, which also matches subscribers with sensor QoS."""

    def __init__(self, node: ManagedNode, config: SequencePlayerConfig, base_T_cam: np.ndarray) -> None:
        """Create the publishers on `node`, and send the static transform base_T_cam (4, 4)."""
        self._config, self._cam_T_base = config, inverse(base_T_cam)
        compressed = config.transport == "compressed"
        self.image = node.publisher(CompressedImage if compressed else Image,
                                    node.resolve_topic_name("image") + "/compressed" if compressed else "image")
        self._convert = conversions.compressed_message if compressed else conversions.image_message
        self._info, self._depth = node.publisher(CameraInfo, "camera_info"), node.publisher(Image, "depth")
        self._odometry = node.publisher(Odometry, "odom")
        self._ground_truth = node.publisher(PoseStamped, "ground_truth")
        self._done = node.publisher(Bool, "~/done", conversions.LATCHED)
        self._clock = node.publisher(Clock, "/clock") if config.clock else None
        self._broadcaster, self._static = TransformBroadcaster(node), StaticTransformBroadcaster(node)
        for broadcaster in (self._broadcaster, self._static):
            node.configured.callback(node.destroy_publisher, broadcaster.pub_tf)
        self._static.sendTransform(self._transform(Header(frame_id=config.base_frame), config.camera_frame, base_T_cam))

    def publish(self, frame: Frame, stamp_ns: int) -> None:
        """Publish all data of a frame with the timestamp `stamp_ns`; the image last, after what it is paired with."""
        stamp = conversions.time_message(stamp_ns)
        if self._clock is not None:
            self._clock.publish(Clock(clock=stamp))
        if frame.odom_T_cam is not None and self._config.odometry:
            self._publish_odometry(Header(stamp=stamp, frame_id=self._config.odom_frame),
                                   frame.odom_T_cam @ self._cam_T_base)
        if frame.world_T_cam is not None:
            if self._config.map_tf:
                self._publish_map_tf(frame, Header(stamp=stamp, frame_id=self._config.map_frame))
            self._ground_truth.publish(PoseStamped(header=Header(stamp=stamp, frame_id=self._config.map_frame),
                                                   pose=conversions.pose_message(frame.world_T_cam)))
        header = Header(stamp=stamp, frame_id=self._config.camera_frame)
        messages = [(self._info, conversions.camera_info_message(frame.camera)),
                    (self.image, self._convert(frame.image))]
        if frame.depth_m is not None and self._config.depth:
            messages.insert(0, (self._depth, conversions.depth_message(frame.depth_m)))
        for publisher, message in messages:
            message.header = header
            publisher.publish(message)

    def publish_done(self, wait_s: float) -> None:
        """Publish ~/done when the last frame is acknowledged, after `wait_s` seconds at the latest."""
        self.image.wait_for_all_acked(Duration(seconds=wait_s))
        self._done.publish(Bool(data=True))

    def _publish_odometry(self, header: Header, odom_T_base: np.ndarray) -> None:
        odometry = Odometry(header=header, child_frame_id=self._config.base_frame)
        odometry.pose.pose = conversions.pose_message(odom_T_base)
        self._odometry.publish(odometry)
        self._broadcaster.sendTransform(self._transform(header, self._config.base_frame, odom_T_base))

    def _publish_map_tf(self, frame: Frame, header: Header) -> None:
        if frame.odom_T_cam is not None and self._config.odometry:
            child, map_T_child = self._config.odom_frame, frame.world_T_cam @ inverse(frame.odom_T_cam)
        else:
            child, map_T_child = self._config.base_frame, frame.world_T_cam @ self._cam_T_base
        self._broadcaster.sendTransform(self._transform(header, child, map_T_child))

    @staticmethod
    def _transform(header: Header, child: str, parent_T_child: np.ndarray) -> TransformStamped:
        return TransformStamped(header=header, child_frame_id=child,
                                transform=conversions.transform_message(parent_T_child))
