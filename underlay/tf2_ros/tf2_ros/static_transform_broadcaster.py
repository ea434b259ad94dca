"""Sends transforms that hold always."""

from __future__ import annotations

from collections.abc import Iterable

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.transform_broadcaster import as_list


class StaticTransformBroadcaster:
    """Publishes to /tf_static; late listeners get the last message, so each message holds all transforms ever sent."""

    def __init__(self, node: Node, qos: QoSProfile | int | None = None) -> None:
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST)
        self.pub_tf = node.create_publisher(TFMessage, "/tf_static", kept if qos is None else qos)
        self.net_message = TFMessage()
        self._child_frame_ids: set[str] = set()

    def sendTransform(self, transform: TransformStamped | Iterable[TransformStamped]) -> None:  # noqa: N802, tf2's name
        """Add transforms and send all; of a child frame that was sent before, the first one stays."""
        for new in as_list(transform):
            if new.child_frame_id not in self._child_frame_ids:
                self._child_frame_ids.add(new.child_frame_id)
                self.net_message.transforms.append(new)
        self.pub_tf.publish(self.net_message)
