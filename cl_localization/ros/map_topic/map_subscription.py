"""The localizer's subscription to `map_code`."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.ros.conversions import stamp_ns
from cl_localization.ros.map_topic.map_messages import BYTES_PER_MB, map_delta, size_bytes
from cl_localization.ros.map_topic.map_stream import HISTORY, Followed, MapFollower
from cl_localization.ros.nodes.config import MapTopicConfig
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.workers.worker import Worker

MAP_TOPIC = "map_code"
MAX_WAIT_S = 60.0
MAP_QOS = QoSProfile(depth=HISTORY, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def mappers_on_topic(node: ManagedNode) -> int:
    """Return the number of map publishers; DDS counts a killed one for up to 20 s."""
    return node.count_publishers(node.resolve_topic_name(MAP_TOPIC))


def several_mappers(mappers: int) -> str:
    """Return the message about several publishers of the map; empty for one or none."""
    return f"{mappers} mappers publish {MAP_TOPIC}: stop all but one or remap their topics" if mappers > 1 else ""


class MapSubscription:
    """Subscribes to `map_code`, and subscribes again when the follower needs the DDS history."""

    def __init__(self, node: ManagedNode, follower: MapFollower, config: MapTopicConfig, worker: Worker,
                 replaced: Callable[[], None]) -> None:
        """Subscribe while the node is active. The `worker` applies the messages in order, and calls `replaced` after
        the map was replaced."""
        self._node, self._follower, self._worker, self._replaced = node, follower, worker, replaced
        self._max_bytes = config.max_message_mb * BYTES_PER_MB
        self._offered, self._offered_bytes = 0, 0  # written by the executor only
        self._taken, self._taken_bytes = 0, 0  # written by the worker only
        self._warned_source = ""
        self._mapper_owns_tf = False
        self._first_wait_s = self._wait_s = config.resync_period_s
        self._wanted_since_s: float | None = None
        self._version_then = -1
        self._subscription = self._subscribed()
        node.active.callback(lambda: node.destroy_subscription(self._subscription))
        node.every(config.resync_period_s, self._resync)

    @property
    def mapper_owns_tf(self) -> bool:
        """Whether the mapper that is followed publishes map -> odom, and is there."""
        return self._mapper_owns_tf and mappers_on_topic(self._node) > 0

    def _subscribed(self) -> Subscription:
        return self._node.create_subscription(MapCodeMessage, MAP_TOPIC, self._offer, MAP_QOS)

    def _offer(self, message: MapCodeMessage) -> None:
        """Executor: queue a message for the worker. Beyond the bound it counts as lost, and is requested again."""
        size, waiting = size_bytes(message), self._offered - self._taken
        if waiting >= HISTORY or (waiting and self._offered_bytes - self._taken_bytes + size > self._max_bytes):
            self._follower.out_of_sync = True
            return
        self._offered += 1
        self._offered_bytes += size
        self._worker.run(lambda: self._take(message, size))

    def _take(self, message: MapCodeMessage, size: int) -> None:
        """Worker: apply a message; an invalid one is logged, and the map stays unchanged."""
        self._taken += 1
        self._taken_bytes += size
        try:
            followed = self._follower.take(map_delta(message, self._max_bytes), stamp_ns(message.header.stamp),
                                           message.source)
        except Exception as error:  # nobody reads the worker's future
            self._node.report(error)
            return
        if followed != Followed.IGNORED:
            self._mapper_owns_tf = bool(message.owns_tf)
        if followed == Followed.REPLACED:
            self._replaced()
        if followed == Followed.IGNORED and message.source != self._warned_source:
            self._warned_source = message.source
            self._node.get_logger().warning(f"more than one mapper publishes {MAP_TOPIC}; map {message.map_id} is "
                                            "ignored, the first map is kept")

    def _resync(self) -> None:
        """Subscribe again if the history has been needed for some time, in case the missing messages just arrive late.

        The wait doubles while that does not help, so that a large history is not interrupted by the next request.
        """
        if not self._follower.wants_history:
            self._wanted_since_s, self._wait_s = None, self._first_wait_s
            return
        now_s = time.monotonic()
        if self._wanted_since_s is None:
            self._wanted_since_s = now_s
        elif now_s - self._wanted_since_s >= self._wait_s:
            self._ask_again()
            self._wanted_since_s = now_s

    def _ask_again(self) -> None:
        version = -1 if self._follower.map_code is None else self._follower.map_code.version
        self._wait_s = min(2 * self._wait_s, MAX_WAIT_S) if version == self._version_then else self._first_wait_s
        self._version_then = version
        self._node.get_logger().info(f"the map is not up to date; requesting the history of {MAP_TOPIC} again",
                                     throttle_duration_sec=1.0)
        self._follower.ask_again()
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribed()
