"""Images with their camera_info, and with their depth where there is any, put together by stamp."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Callable

import message_filters
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cl_localization.data.frame import Frame
from cl_localization.ros import conversions
from cl_localization.ros.node_config import ImagesConfig


@dataclass(frozen=True, eq=False)
class ImageBundle:
    """Messages of one instant, not yet decoded: dropping them costs nothing.

    Attributes:
        arrived_s: monotonic time of arrival.
    """

    image: Image | CompressedImage
    info: CameraInfo
    depth: Image | None
    arrived_s: float

    @property
    def stamp_ns(self) -> int:
        """When the image was taken."""
        return conversions.stamp_ns(self.image.header.stamp)

    @property
    def camera_frame(self) -> str:
        """The tf frame of the camera."""
        return self.image.header.frame_id

    def frame(self, max_pixels: int) -> Frame:
        """Decode the messages.

        Raises:
            RosError, GeometryError, DataError: a message that makes no sense, or sizes that do not fit each other.
        """
        return Frame(stamp_ns=self.stamp_ns, image=conversions.rgb_image(self.image, max_pixels),
                     camera=conversions.camera(self.info), name=self.camera_frame,
                     depth_m=None if self.depth is None else conversions.depth_image_m(self.depth, max_pixels))


class ImageSource:
    """Subscribes to image, camera_info and depth, and hands over what belongs together.

    Attributes:
        images: images that came.
        lost: images that came to this machine but not to the node; large images need larger DDS buffers.
    """

    def __init__(self, node: Node, config: ImagesConfig, depth: str, hand_over: Callable[[ImageBundle], None]) -> None:
        """Subscribe.

        Args:
            depth: `off`; `on` waits for depth with every image; `auto` does so while somebody publishes it.
            hand_over: called on the executor with each bundle.
        """
        self.images = self.lost = self._bundles = 0
        self._node, self._depth, self._hand_over = node, depth, hand_over
        image_topic, image_type = node.resolve_topic_name("image"), Image
        if config.transport == "compressed":
            image_topic, image_type = image_topic + "/compressed", CompressedImage
        image, info = self._subscriber(image_type, image_topic), self._subscriber(CameraInfo, "camera_info")
        image.registerCallback(self._count)
        self._subscribers = [image, info]
        self._synchronise([image, info], config, self._without_depth)
        if depth != "off":
            self._subscribers.append(self._subscriber(Image, "depth"))
            self._depth_topic = node.resolve_topic_name("depth")
            self._synchronise(self._subscribers, config, self._with_depth)

    @property
    def problem(self) -> str:
        """Why nothing is handed over though images come, or that images were lost; empty when all is well."""
        if self.images and not self._bundles:
            return "images come, but no camera_info" + (" and depth" if self._depth == "on" else "") + " with their stamps"
        return f"{self.lost} images lost in transport; enlarge the DDS buffers (config/fastdds.xml)" if self.lost else ""

    def close(self) -> None:
        """End the subscriptions."""
        for subscriber in self._subscribers:
            self._node.destroy_subscription(subscriber.sub)

    def _subscriber(self, message_type: type, topic: str) -> message_filters.Subscriber:
        events = SubscriptionEventCallbacks(message_lost=self._count_lost)
        return message_filters.Subscriber(self._node, message_type, topic, qos_profile=qos_profile_sensor_data,
                                          event_callbacks=events)

    def _synchronise(self, subscribers: list, config: ImagesConfig, callback: Callable) -> None:
        synchronizer = message_filters.ApproximateTimeSynchronizer(list(subscribers), config.queue_size, config.slop_s)
        synchronizer.registerCallback(callback)

    def _count(self, image: Image | CompressedImage) -> None:
        self.images += 1

    def _count_lost(self, event: object) -> None:
        self.lost += event.total_count_change

    def _without_depth(self, image: Image | CompressedImage, info: CameraInfo) -> None:
        wanted = self._depth == "on" or (self._depth == "auto" and self._node.count_publishers(self._depth_topic) > 0)
        if not wanted:
            self._offer(image, info, None)

    def _with_depth(self, image: Image | CompressedImage, info: CameraInfo, depth: Image) -> None:
        self._offer(image, info, depth)

    def _offer(self, image: Image | CompressedImage, info: CameraInfo, depth: Image | None) -> None:
        self._bundles += 1
        self._hand_over(ImageBundle(image, info, depth, time.monotonic()))
