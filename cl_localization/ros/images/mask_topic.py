"""The topic `~/mask`: what of the camera's images is not of the scene, for robots that see a moving part of
themselves."""

from __future__ import annotations

from collections import deque

import numpy as np
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

from cl_localization.data.message_images import rgb_of
from cl_localization.ros import conversions
from cl_localization.ros.nodes.managed_node import ManagedNode

KEPT = 20
"""Masks that wait for their images: a second of a stream, which two subscriptions may hear."""


class MaskTopic:
    """Subscribes to masks, whether they are streamed with the camera or were published once, and latched."""

    def __init__(self, node: ManagedNode, max_pixels: int) -> None:
        """Subscribe while the node is active; masks with more pixels are refused."""
        self._max_pixels = max_pixels
        self._messages: deque[Image] = deque(maxlen=KEPT)
        # rclpy would warn that streamed masks are not received: the subscription to latched ones hears no others
        events = SubscriptionEventCallbacks(incompatible_qos=lambda event: None)
        for qos in (qos_profile_sensor_data, conversions.LATCHED):
            node.hear(Image, "~/mask", self._take, qos, event_callbacks=events)

    def at(self, stamp_ns: int) -> np.ndarray | None:
        """Return the mask (H, W, 3) whose timestamp is nearest to an image's, the newest of several; None before the
        first.

        Raises:
            DataError: a message that cannot be read.
        """
        messages = tuple(self._messages)
        if not messages:
            return None
        nearest = min(reversed(messages),
                      key=lambda message: abs(conversions.stamp_ns(message.header.stamp) - stamp_ns))
        return rgb_of(nearest, "mask", self._max_pixels)

    def _take(self, message: Image) -> None:
        self._messages.append(message)
