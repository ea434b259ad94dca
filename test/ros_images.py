"""An image source without a network: its topics are fed by hand, its clock is set."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from cl_localization.ros import conversions
from cl_localization.ros.images.image_source import ImageBundle, ImageSource
from cl_localization.ros.nodes.config import FramesConfig, ImagesConfig
from cl_localization.ros.tf.buffer import GuardedBuffer
from cl_localization.ros.tf.lookup import TfLookup

SECOND = 10**9


class FakeNode:
    """A node whose topics are fed by hand."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}
        self.publishers: dict[str, int] = {}
        self.clock_ns, self.config = 0, SimpleNamespace(frames=FramesConfig())
        self.reported: list[str] = []
        self.told: list[str] = []
        self.remappings: dict[str, str] = {}

    def hear(self, message_type: type, topic: str, callback: Any, qos: Any, event_callbacks: Any = None) -> None:
        self.callbacks[topic] = callback

    def resolve_topic_name(self, name: str) -> str:
        return self.remappings.get(name, f"/robot/{name}")

    def count_publishers(self, topic: str) -> int:
        return self.publishers.get(topic, 0)

    def get_clock(self) -> Any:
        return SimpleNamespace(now=lambda: SimpleNamespace(nanoseconds=self.clock_ns))

    def get_logger(self) -> Any:
        return SimpleNamespace(info=self.told.append)

    def report(self, error: Exception) -> None:
        self.reported.append(str(error))


class Stage:
    """An image source with a clock of its own."""

    def __init__(self, depth: str = "off", remappings: dict[str, str] | None = None, camera_frame: str = "",
                 **config: Any) -> None:
        self.node, self.now_s, self.bundles = FakeNode(), 100.0, list[ImageBundle]()
        self.node.remappings |= remappings or {}
        self.node.config.frames = FramesConfig(camera=camera_frame)
        self.source = ImageSource(self.node, ImagesConfig(**config), depth, self.bundles.append,
                                  TfLookup(GuardedBuffer(), 0.0), lambda: self.now_s)

    def say(self, topic: str, stamp_ns: int, **fields: Any) -> None:
        message = CameraInfo(**fields) if topic == "camera_info" else Image()
        message.header = Header(stamp=conversions.time_message(stamp_ns))
        self.node.callbacks[topic](message)

    def show(self, *stamps_ns: int) -> None:
        for stamp_ns in stamps_ns:
            self.say("camera_info", stamp_ns)
            self.say("image", stamp_ns)

    def stamps(self) -> list[int]:
        return [bundle.stamp_ns for bundle in self.bundles]
