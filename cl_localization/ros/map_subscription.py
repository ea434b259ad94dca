"""The localizer's end of the topic `map_code`."""

from __future__ import annotations

from typing import Callable

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.ros.managed_node import ManagedNode
from cl_localization.ros.map_stream import HISTORY, MapFollower

MAP_QOS = QoSProfile(depth=HISTORY, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class MapSubscription:
    """Hears `map_code`, and subscribes anew while the follower misses a change: that brings DDS's history again."""

    def __init__(self, node: ManagedNode, follower: MapFollower, resync_period_s: float,
                 callback: Callable[[MapCodeMessage], None]) -> None:
        """Subscribe; `callback` gets every message on the executor."""
        self._node, self._follower, self._callback = node, follower, callback
        self._subscription = self._subscribed()
        self._missed = False
        self._timer = node.create_timer(resync_period_s, self._resync)

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def _subscribed(self) -> object:
        return self._node.create_subscription(MapCodeMessage, "map_code", self._callback, MAP_QOS)

    def _resync(self) -> None:
        """Subscribe anew if a change was missing one period ago and still is: messages on their way had time to come."""
        if self._missed and self._follower.out_of_sync:
            self._node.get_logger().info("a change of the map is missing; asking for the history of map_code again")
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._subscribed()
        self._missed = self._follower.out_of_sync
