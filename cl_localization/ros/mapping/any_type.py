"""A subscription to a topic whose publisher decides the message type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

PERIOD_S = 0.5
"""Time between two looks at the publishers."""


class AnyTypeSubscription:
    """Subscribes with one of several types: that of the publisher, once there is one.

    Attributes:
        problem: that the publisher has another type; empty for no problem.
    """

    def __init__(self, node: Node, topic: str, kinds: Mapping[str, type], take: Callable[[Any], None]) -> None:
        """Subscribe with the first type until a publisher of another one appears; call `look` every `PERIOD_S`.

        Args:
            kinds: the message type of each name, as `geometry_msgs/msg/PoseStamped`.
            take: gets the messages.
        """
        self.problem = ""
        self._node, self._topic, self._kinds, self._take = node, topic, kinds, take
        self._name = node.resolve_topic_name(topic)
        self._kind = next(iter(kinds))
        self._subscription = self._subscribed()

    def look(self) -> None:
        """Subscribe with the type of a publisher, if none has the present one."""
        published = {info.topic_type for info in self._node.get_publishers_info_by_topic(self._name)}
        known = sorted(published & set(self._kinds))
        self.problem = ""
        if published and not known:
            self.problem = (f"topic {self._name} has the type {', '.join(sorted(published))}, must be one of "
                            f"{', '.join(self._kinds)}")
        elif known and self._kind not in known:
            self.close()
            self._kind = known[0]
            self._subscription = self._subscribed()

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_subscription(self._subscription)

    def _subscribed(self) -> Any:
        return self._node.create_subscription(self._kinds[self._kind], self._topic, self._take, qos_profile_sensor_data)
