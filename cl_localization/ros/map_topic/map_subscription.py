"""The localizer's end of the topic `map_code`."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
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
    """Return how many publishers of a map there are; DDS counts one that was killed for up to 20 s more."""
    return node.count_publishers(node.resolve_topic_name(MAP_TOPIC))


def several_mappers(mappers: int) -> str:
    """Return what is wrong with so many publishers of a map; empty when nothing is."""
    return f"{mappers} mappers publish {MAP_TOPIC}: stop all but one or give them other topics" if mappers > 1 else ""


class MapSubscription:
    """Hears `map_code`, and subscribes anew when the follower wants the history that DDS keeps."""

    def __init__(self, node: ManagedNode, follower: MapFollower, config: MapTopicConfig, worker: Worker,
                 replaced: Callable[[], None]) -> None:
        """Subscribe. The `worker` takes the messages one after the other; in it `replaced` is called when there is
        another map."""
        self._node, self._follower, self._worker, self._replaced = node, follower, worker, replaced
        self._max_bytes = config.max_message_mb * BYTES_PER_MB
        self._offered, self._offered_bytes = 0, 0  # written by the executor only
        self._taken, self._taken_bytes = 0, 0  # written by the worker only
        self._warned_of = ""
        self._first_wait_s = self._wait_s = config.resync_period_s
        self._wanted_since_s: float | None = None
        self._version_then = -1
        self._subscription = self._subscribed()
        # on the wall clock: a simulation that stands still must not hold up the map
        self._timer = node.create_timer(config.resync_period_s, self._resync,
                                        clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """End the subscription."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def _subscribed(self) -> Subscription:
        return self._node.create_subscription(MapCodeMessage, MAP_TOPIC, self._offer, MAP_QOS)

    def _offer(self, message: MapCodeMessage) -> None:
        """Executor: have the worker take a message. What waits is bounded; what is left out counts as lost and comes
        again."""
        size, waiting = size_bytes(message), self._offered - self._taken
        if waiting >= HISTORY or (waiting and self._offered_bytes - self._taken_bytes + size > self._max_bytes):
            self._follower.out_of_sync = True
            return
        self._offered += 1
        self._offered_bytes += size
        self._worker.run(lambda: self._take(message, size))

    def _take(self, message: MapCodeMessage, size: int) -> None:
        """Worker: a wrong message is logged, and the map stays as it was."""
        self._taken += 1
        self._taken_bytes += size
        try:
            followed = self._follower.take(map_delta(message, self._max_bytes), stamp_ns(message.header.stamp),
                                           message.source)
        except Exception as error:  # whatever a message does, the worker's future would keep it to itself
            self._node.report(error)
            return
        if followed == Followed.REPLACED:
            self._replaced()
        if followed == Followed.IGNORED and message.source != self._warned_of:
            self._warned_of = message.source
            self._node.get_logger().warning(f"more than one mapper publishes {MAP_TOPIC}; map {message.map_id} is not "
                                            "taken, "
                                             "the one heard first is followed")

    def _resync(self) -> None:
        """Subscribe anew if the history has been wanted for a while: messages on their way have had time to come.

        While that brings nothing the wait doubles, for a large history must not be cut off by asking for it again.
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
        self._node.get_logger().info(f"the map is not up to date; asking for the history of {MAP_TOPIC} again",
                                     throttle_duration_sec=1.0)
        self._follower.ask_again()
        self._node.destroy_subscription(self._subscription)
        self._subscription = self._subscribed()
