"""Coordinate frames over time: a buffer of transforms, filled from tf and asked for any pair of frames at any stamp."""

from tf2_ros.buffer import Buffer
from tf2_ros.exceptions import (
    ConnectivityException,
    ExtrapolationException,
    InvalidArgumentException,
    LookupException,
    TransformException,
)
from tf2_ros.static_transform_broadcaster import StaticTransformBroadcaster
from tf2_ros.transform_broadcaster import TransformBroadcaster
from tf2_ros.transform_listener import TransformListener

__all__ = ["Buffer", "ConnectivityException", "ExtrapolationException", "InvalidArgumentException", "LookupException",
           "StaticTransformBroadcaster", "TransformBroadcaster", "TransformException", "TransformListener"]
