"""Fills a buffer from the topics of tf."""

from __future__ import annotations

from threading import Thread

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile
from tf2_msgs.msg import TFMessage

from tf2_ros.buffer import Buffer

DEFAULT_TF_TOPIC = "/tf"
DEFAULT_STATIC_TF_TOPIC = "/tf_static"
AUTHORITY = "default_authority"


class TransformListener:
    """Subscribes to /tf and /tf_static and hands what comes to the buffer.

    Args:
        buffer: filled with all transforms that come.
        node: holds the subscriptions; they are served while it is spun.
        spin_thread: spin the node in a thread of our own.
        qos, static_qos: of the subscriptions; depth 100, and for the static ones also those sent before we came.
    """

    def __init__(self, buffer: Buffer, node: Node, *, spin_thread: bool = False, qos: QoSProfile | int | None = None,
                 static_qos: QoSProfile | int | None = None, tf_topic: str = DEFAULT_TF_TOPIC,
                 tf_static_topic: str = DEFAULT_STATIC_TF_TOPIC) -> None:
        self.buffer, self.node = buffer, node
        self.group = ReentrantCallbackGroup()
        moving = QoSProfile(depth=100, durability=DurabilityPolicy.VOLATILE, history=HistoryPolicy.KEEP_LAST)
        static = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, history=HistoryPolicy.KEEP_LAST)
        self.tf_sub = node.create_subscription(TFMessage, tf_topic, self.callback, moving if qos is None else qos,
                                               callback_group=self.group)
        self.tf_static_sub = node.create_subscription(TFMessage, tf_static_topic, self.static_callback,
                                                      static if static_qos is None else static_qos,
                                                      callback_group=self.group)
        if spin_thread:
            self.executor = SingleThreadedExecutor()
            self.dedicated_listener_thread = Thread(target=self._spin)
            self.dedicated_listener_thread.start()

    def __del__(self) -> None:
        if hasattr(self, "dedicated_listener_thread"):
            self.executor.shutdown()
            self.dedicated_listener_thread.join()
        self.unregister()

    def unregister(self) -> None:
        """End the subscriptions."""
        self.node.destroy_subscription(self.tf_sub)
        self.node.destroy_subscription(self.tf_static_sub)

    def callback(self, data: TFMessage) -> None:
        """Take transforms that hold at their stamps."""
        for transform in data.transforms:
            self.buffer.set_transform(transform, AUTHORITY)

    def static_callback(self, data: TFMessage) -> None:
        """Take transforms that hold always."""
        for transform in data.transforms:
            self.buffer.set_transform_static(transform, AUTHORITY)

    def _spin(self) -> None:
        self.executor.add_node(self.node)
        self.executor.spin()
        self.executor.remove_node(self.node)
