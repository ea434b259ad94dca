"""The mapper's end of `map_code` without a mapper, and what a localizer holds."""

from __future__ import annotations

from typing import Any

from cl_localization.map.map_code import MapCode
from map_makers import empty_map, grow
from ros_world import RosWorld

XFEAT_DIM = 64


class Sender:
    """A mapper that tells of a map, without learning one."""

    def __init__(self, ros: RosWorld, source: str = "") -> None:
        from cl_localization.msg import MapCode as MapCodeMessage

        from cl_localization.ros.map_topic.map_messages import map_message
        from cl_localization.ros.map_topic.map_stream import MapStream
        from cl_localization.ros.map_topic.map_subscription import MAP_QOS

        self.map_code, self.source, self._message = empty_map(dim=XFEAT_DIM), source, map_message
        self.publisher = ros.node.create_publisher(MapCodeMessage, "map_code", MAP_QOS)
        self.stream, self.stamp_ns = MapStream(self.map_code), 0

    def grow(self, steps: int = 1, deliver: bool = True) -> None:
        """Change the map and tell of it; or let the messages be lost."""
        for _ in range(steps):
            grow(self.map_code)
            self.tell(deliver)

    def tell(self, deliver: bool = True) -> None:
        """Tell of what has changed, or remind of the version, as a mapper does all the time."""
        self.stamp_ns += 1
        for delta in self.stream.changes():
            if deliver:
                self.publisher.publish(self._message(delta, self.stamp_ns, self.source))


def version_of(localizer: Any) -> int:
    """Version of the map that a localizer holds, -1 without one."""
    map_code: MapCode | None = localizer._map.follower.map_code
    return -1 if map_code is None else map_code.version
