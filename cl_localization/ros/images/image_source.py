"""Subscriptions to image, camera_info and depth, paired by timestamp."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cl_localization.data.files import MAX_IMAGE_PIXELS
from cl_localization.data.frame import Frame
from cl_localization.data.message_camera import camera_of, is_rectified, rectification_note
from cl_localization.data.message_depth import MILLIMETRE_M, depth_of
from cl_localization.data.message_images import rgb_of
from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import RosError
from cl_localization.geometry.camera import Camera
from cl_localization.ros import conversions
from cl_localization.ros.images.depth_registrar import DepthRegistrar
from cl_localization.ros.images.mask_topic import MaskTopic
from cl_localization.ros.images.pairing import Pairing, StampGuard
from cl_localization.ros.nodes.config import ImagesConfig
from cl_localization.ros.nodes.diagnostics import Window
from cl_localization.ros.nodes.managed_node import ManagedNode
from cl_localization.ros.tf.lookup import TfLookup, Upright
from cl_localization.tracking.image_period import ImagePeriod

SILENT_S = 3.0
"""A topic without messages for this time is reported; for longer where images come seldom."""

LATE_S, OTHER_CLOCK_S = 1.0, 60.0
"""Images whose timestamps are this far from the node's clock are reported; beyond the second they are of another clock,
as those of a bag."""

IMAGE, CAMERA_INFO, DEPTH = range(3)


@dataclass(frozen=True)
class Reading:
    """How the messages of a node's topics are read.

    Attributes:
        image, info, depth: what errors call the messages.
        max_pixels: images with more are refused.
        rectified: whether P of camera_info is the camera.
        depth_unit_m: metres of a step of 16-bit depth.
        camera_frame: the camera's tf frame; empty: frame_id of the images.
        registrar: brings depth of another frame into the image.
        upright: tells which way up the images are; None: as they come.
        masks: tells what of the images is not of the scene; None: nothing.
    """

    image: str = "image"
    info: str = "camera_info"
    depth: str = "depth"
    max_pixels: int = MAX_IMAGE_PIXELS
    rectified: bool = False
    depth_unit_m: float = MILLIMETRE_M
    camera_frame: str = ""
    registrar: DepthRegistrar | None = None
    upright: Upright | None = None
    masks: MaskTopic | None = None


@dataclass(frozen=True, eq=False)
class ImageBundle:
    """Paired messages, decoded only when they are processed.

    Attributes:
        arrived_s: monotonic time of arrival.
        reading: how they are read.
        depth_info: the depth camera's last calibration, for depth in a frame of its own.
    """

    image: Image | CompressedImage
    info: CameraInfo
    depth: Image | CompressedImage | None
    arrived_s: float
    reading: Reading = Reading()
    depth_info: CameraInfo | None = None

    @property
    def stamp_ns(self) -> int:
        """Timestamp of the image."""
        return conversions.stamp_ns(self.image.header.stamp)

    @property
    def camera_frame(self) -> str:
        """The tf frame of the camera."""
        return self.reading.camera_frame or conversions.plain(self.image.header.frame_id)

    def frame(self) -> Frame:
        """Decode the messages.

        Raises:
            GeometryError, DataError: an invalid message, or sizes that do not match each other.
        """
        how = self.reading
        camera = camera_of(self.info, how.info, how.rectified)
        return Frame(stamp_ns=self.stamp_ns, image=rgb_of(self.image, how.image, how.max_pixels), camera=camera,
                     name=self.camera_frame, depth_m=self._depth_m(camera),
                     upright_turns=0 if how.upright is None else how.upright.turns(self.camera_frame),
                     mask=None if how.masks is None else how.masks.at(self.stamp_ns))

    def _depth_m(self, camera: Camera) -> np.ndarray | None:
        """Return depth as the image's camera sees it; None without depth, or where it cannot be brought there, and need
        not."""
        how, depth_m = self.reading, None
        if self.depth is not None:
            depth_frame = conversions.plain(self.depth.header.frame_id)
            depth_m = depth_of(self.depth, how.depth, how.depth_unit_m, how.max_pixels)
            is_aligned = depth_frame in ("", conversions.plain(self.image.header.frame_id), self.camera_frame)
            if how.registrar is not None and not is_aligned:
                return how.registrar.registered(depth_m, self.depth.header, self.depth_info, camera, self.camera_frame)
        if how.registrar is not None:
            how.registrar.problem = ""
        return depth_m


class ImageSource:
    """Subscribes to image, camera_info, depth and masks, and hands over paired messages in the order of arrival.

    Attributes:
        images: images received.
        lost: images lost by DDS between this machine and the node; large images need larger DDS buffers.
    """

    def __init__(self, node: ManagedNode, config: ImagesConfig, depth: str, hand_over: Callable[[ImageBundle], None],
                 lookup: TfLookup, now_s: Callable[[], float] = time.monotonic) -> None:
        """Subscribe while the node is active.

        Args:
            depth: `off`; `on`: pair every image with depth; `auto`: the same while depth has a publisher.
            hand_over: called on the executor with each bundle.
            lookup: where the camera is on the robot, and where the depth camera is, if it has a frame of its own.
            now_s: clock.
        """
        self.images = self.lost = 0
        self._node, self._depth, self._hand_over, self._now_s = node, depth, hand_over, now_s
        self._topics = [_with_transport("image", config.transport), "camera_info",
                        _with_transport("depth", config.depth_transport)]
        heard = range(CAMERA_INFO + 1 if depth == "off" else DEPTH + 1)
        self._registrar = None if depth == "off" else DepthRegistrar(lookup, depth == "on")
        self._depth_info: CameraInfo | None = None
        self._reading = self._made_reading(config, lookup)
        self._is_rectification_unknown = config.rectified == "auto" and not self._reading.rectified
        self._started_s, self._delays_s = now_s(), Window(now_s)
        self._received_s = [-math.inf] * len(self._topics)
        self._guard, self._period = StampGuard(), ImagePeriod()
        self._paired_s = self._lost_s = -math.inf
        slop_ns = int(config.slop_s * NS_PER_S)
        self._pairings = [Pairing(2, slop_ns, config.queue_size, self._offer_without_depth)]
        if depth != "off":
            self._pairings.append(Pairing(3, slop_ns, config.queue_size, self._offer))
        for number in heard:
            self._subscribe(number)
        if self._registrar is not None:
            node.hear(CameraInfo, "depth_camera_info", self._take_depth_info, qos_profile_sensor_data)
        node.get_logger().info(f"listens to {', '.join(self._name(number) for number in heard)}")

    @property
    def problem(self) -> str:
        """Why nothing is handed over, or that images were just lost; empty for no problem."""
        now_s, patience_s = self._now_s(), self._period.widened(SILENT_S) / NS_PER_S
        silent = [now_s - max(received_s, self._started_s) > patience_s for received_s in self._received_s]
        if silent[IMAGE]:
            return f"no images on {self._name(IMAGE)}"
        if now_s - max(self._paired_s, self._started_s) > patience_s:
            missing = [self._name(number) for number in self._needed() if silent[number]]
            if missing:
                return f"images arrive, but no {' and '.join(missing)}"
            needed = " and ".join(self._name(number) for number in self._needed())
            return f"images arrive, but no {needed} with their timestamps"
        if now_s - self._lost_s < SILENT_S:
            return f"{self.lost} images lost in transport; enlarge the DDS buffers (config/fastdds.xml)"
        return self._lateness() or ("" if self._registrar is None else self._registrar.problem)

    @property
    def delay_s(self) -> float:
        """Median time from the timestamps of the last images to their arrival; NaN without images."""
        return self._delays_s.percentile(50)

    def _made_reading(self, config: ImagesConfig, lookup: TfLookup) -> Reading:
        """Return how this node reads its messages; whether they are rectified, their topic may say."""
        image, info, depth = (self._name(number) for number in (IMAGE, CAMERA_INFO, DEPTH))
        frames = self._node.config.frames
        return Reading(f"image on {image}", f"camera_info on {info}", f"depth on {depth}", config.max_pixels,
                       is_rectified(image, config.rectified), config.depth_unit_m, frames.camera, self._registrar,
                       Upright(lookup, frames.base), MaskTopic(self._node, config.max_pixels))

    def _subscribe(self, topic: int) -> None:
        name, compressed = self._topics[topic], "/" in self._topics[topic]
        message_type = CameraInfo if topic == CAMERA_INFO else CompressedImage if compressed else Image
        events = SubscriptionEventCallbacks(message_lost=self._count_lost) if topic == IMAGE else None
        self._node.hear(message_type, self._name(topic) if compressed else name,
                        lambda message: self._take(topic, message), qos_profile_sensor_data, event_callbacks=events)

    def _name(self, topic: int) -> str:
        """Return a topic's resolved name; a remapping of `image` also applies to image/compressed, so of depth."""
        name, _, transport = self._topics[topic].partition("/")
        return self._node.resolve_topic_name(name) + (f"/{transport}" if transport else "")

    def _needed(self) -> list[int]:
        """Return the topics that an image is paired with."""
        return [CAMERA_INFO, DEPTH] if self._waits_for_depth() else [CAMERA_INFO]

    def _waits_for_depth(self) -> bool:
        return self._depth == "on" or (self._depth == "auto" and self._node.count_publishers(self._name(DEPTH)) > 0)

    def _count_lost(self, event: Any) -> None:
        self.lost += event.total_count_change
        self._lost_s = self._now_s()

    def _take(self, topic: int, message: Image | CompressedImage | CameraInfo) -> None:
        stamp_ns = conversions.stamp_ns(message.header.stamp)
        if stamp_ns < 0:
            self._node.report(RosError(f"stamp on {self._name(topic)}", "must not be before 1970", f"{stamp_ns} ns",
                                       "fix the clock of the driver"))
            return
        if topic == CAMERA_INFO:
            self._note_rectification(message)
        if topic == IMAGE:
            self.images += 1
            if jump_ns := self._guard.jump_ns(stamp_ns):
                self._node.report(RosError(f"timestamp on {self._name(topic)}", "must not jump ahead of the last",
                                           f"{jump_ns / NS_PER_S:.1f} s",
                                           "this image waits for a second one that agrees"))
                return
            self._note_delay(stamp_ns)
            self._period.observe(round(self._now_s() * NS_PER_S))
        self._received_s[topic] = self._now_s()
        for pairing in self._pairings:
            if topic < pairing.topics:
                pairing.add(topic, stamp_ns, message)

    def _note_delay(self, stamp_ns: int) -> None:
        now_ns = self._node.get_clock().now().nanoseconds
        if now_ns:  # simulated time may not have come yet
            self._delays_s.add((now_ns - stamp_ns) / NS_PER_S)

    def _lateness(self) -> str:
        """Return a problem if timestamps are far from the clock, which tf and everybody who listens to it goes by."""
        delay_s = self.delay_s
        if LATE_S < delay_s < OTHER_CLOCK_S:
            return (f"images arrive {delay_s:.1f} s after their timestamps, and so do poses; is the driver or the "
                    "network slow, or does its clock differ?")
        if -OTHER_CLOCK_S < delay_s < -LATE_S:
            return f"images have timestamps {-delay_s:.1f} s in the future; synchronise the clocks"
        return ""

    def _offer_without_depth(self, image: Image | CompressedImage, info: CameraInfo) -> None:
        if not self._waits_for_depth():
            self._offer(image, info)

    def _offer(self, image: Image | CompressedImage, info: CameraInfo, depth: Image | None = None) -> None:
        now_s = self._now_s()
        self._paired_s = now_s
        self._hand_over(ImageBundle(image, info, depth, now_s, self._reading, self._depth_info))

    def _take_depth_info(self, message: CameraInfo) -> None:
        self._depth_info = message

    def _note_rectification(self, info: CameraInfo) -> None:
        """Log once which camera is used, if nothing says whether the images are rectified."""
        if self._is_rectification_unknown and (note := rectification_note(info, self._reading.info)):
            self._is_rectification_unknown = False
            self._node.get_logger().info(f"{note} with images.rectified:=always")


def _with_transport(topic: str, transport: str) -> str:
    return topic if transport == "raw" else f"{topic}/{transport}"
