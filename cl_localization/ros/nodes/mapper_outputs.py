"""The publishers of the mapper: map updates, status, and points and keyframes for RViz."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from geometry_msgs.msg import PoseArray
from sensor_msgs.msg import PointCloud2

from cl_localization.map.map_delta import MapDelta
from cl_localization.mapper import Mapper
from cl_localization.msg import MapCode as MapCodeMessage
from cl_localization.msg import MappingStatus
from cl_localization.ros import conversions
from cl_localization.ros.images.image_source import ImageBundle
from cl_localization.ros.map_topic.map_messages import BYTES_PER_MB, map_message
from cl_localization.ros.map_topic.map_stream import MapStream
from cl_localization.ros.map_topic.map_subscription import MAP_QOS, MAP_TOPIC, mappers_on_topic, several_mappers
from cl_localization.ros.mapping.given_poses import Learned
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.nodes.status_messages import Counts, mapping_status

DISPLAY_PERIOD_S = 1.0


class MapperOutputs:
    """The publishers of the mapper."""

    def __init__(self, node: ManagedNode) -> None:
        """Create the publishers on `node`."""
        self._node = node
        self._map_code = node.publisher(MapCodeMessage, MAP_TOPIC, MAP_QOS)
        self._status = node.publisher(MappingStatus, "~/status")
        self._codes = node.publisher(PointCloud2, "~/codes", conversions.LATCHED)
        self._keyframes = node.publisher(PoseArray, "~/keyframes", conversions.LATCHED)
        self._shown: tuple[str, int] | None = None
        self._source, self._has_keyframe = uuid.uuid4().hex, False
        self._owns_tf = False

    @property
    def _config(self) -> Any:
        return self._node.config

    def use(self, mapper: Mapper) -> None:
        """Worker, or set-up: publish the map of another mapper from now on, a snapshot of it first."""
        self._mapper, self._stream = mapper, MapStream(mapper.made)

    def start(self, run: Callable[[Callable[[], None]], object]) -> None:
        """Publish while the node is active; `run` runs a task in the worker.

        Followers are told that this node publishes map -> odom if it does, and in the end that it does no more: call
        this before the worker's end is registered.
        """
        self._tell_owner(bool(self._config.publish_tf))
        self._node.active.callback(self._tell_owner, False)
        self._node.every(max(self._config.map_code_period_s, 0.01), lambda: run(self.publish_changes))
        self._node.every(DISPLAY_PERIOD_S, lambda: run(self._show))

    def _tell_owner(self, publishes: bool) -> None:
        """Tell followers, by an empty delta, whether this node publishes map -> odom; only if that is new."""
        owns_tf = publishes and self._config.poses.source == "self"
        if owns_tf != self._owns_tf:
            self._owns_tf = owns_tf
            self._publish(self._mapper.made.delta_since(self._mapper.made.version))

    def publish_changes(self) -> None:
        """Worker, or after its end: publish the changes of the map, with wall-clock timestamps, by which followers
        order snapshots."""
        for delta in self._stream.changes():
            self._publish(delta)

    def _publish(self, delta: MapDelta) -> None:
        delta.frame_id = self._config.frames.map
        self._map_code.publish(map_message(delta, time.time_ns(), self._source, self._owns_tf))

    def publish_status(self, bundle: ImageBundle, learned: Learned, learning: bool, counts: Counts,
                       fillers: Iterable[Callable[[MappingStatus], None]]) -> None:
        """Publish the status after an image; `fillers` fill in what parts of the node say of themselves."""
        status = mapping_status(learned.result, learned.reason, learning, self._mapper.map_code,
                                self._config.map_code.budget_mb * BYTES_PER_MB, counts)
        if learned.result is not None and learned.result.is_keyframe and not self._has_keyframe:
            self._has_keyframe = True
            self._node.get_logger().info(f"first keyframe of this run: {status.codes} codes in the map")
        for fill_in in fillers:
            fill_in(status)
        self._tell_owner(bool(self._config.publish_tf))
        status.header.stamp, status.header.frame_id = bundle.image.header.stamp, self._config.frames.map
        self._status.publish(status)

    def _show(self) -> None:
        """Worker: publish points and keyframes once per map version, if there are subscribers; again for those that
        come after nobody listened, as they may not ask for what was published before."""
        map_code = self._mapper.map_code
        watched = bool(self._codes.get_subscription_count() or self._keyframes.get_subscription_count())
        before, self._shown = self._shown, (map_code.map_id, map_code.version) if watched else None
        if self._shown in (before, None):
            return
        cloud = conversions.cloud_message(map_code.positions_m)
        poses = PoseArray(poses=[conversions.pose_message(pose) for pose in map_code.keyframe_world_T_cam])
        for message, publisher in ((cloud, self._codes), (poses, self._keyframes)):
            message.header.frame_id = self._config.frames.map
            message.header.stamp = self._node.get_clock().now().to_msg()
            publisher.publish(message)

    @property
    def problem(self) -> str:
        """A message if several mappers publish on the topic; else empty."""
        return several_mappers(mappers_on_topic(self._node))
