"""Headers and poses of a bag's messages, as `rosbags` makes them without ROS."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import DataError
from cl_localization.geometry.se3 import from_quaternion


def header_stamp_ns(cdr: bytes, ros1: bool = False) -> int:
    """Return the stamp of a serialized message that begins with a Header. Raises DataError if it is too short."""
    if len(cdr) < 12:
        raise DataError("message of the bag", "must begin with a header", f"{len(cdr)} bytes", "record it again")
    if ros1:  # its header begins with a counter
        seconds, nanoseconds = struct.unpack_from("<II", cdr, 4)
        return seconds * NS_PER_S + nanoseconds
    seconds, nanoseconds = struct.unpack_from("<iI" if cdr[1] & 1 else ">iI", cdr, 4)
    return seconds * NS_PER_S + nanoseconds


def stamp_ns(header: Any) -> int:
    """Return the stamp of a Header in nanoseconds."""
    return int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)


def frame_id(header: Any) -> str:
    """Return a Header's frame without the leading slash of old tf."""
    return str(header.frame_id).lstrip("/")


def matrix_of(message: Any) -> np.ndarray:
    """Return the 4x4 matrix of a geometry_msgs Pose or Transform. Raises GeometryError when it is none."""
    is_pose = hasattr(message, "position")
    at, to = (message.position, message.orientation) if is_pose else (message.translation, message.rotation)
    return from_quaternion(np.array([at.x, at.y, at.z]), np.array([to.x, to.y, to.z, to.w]))
