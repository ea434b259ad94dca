"""Messages and bags for the tests of the bag reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from cl_localization.data.bag_encoder import MessageEncoder
from cl_localization.geometry.camera import Camera
from data.makers import CAMERA

STORE = get_typestore(Stores.ROS2_KILTED)
IMAGE, COMPRESSED, INFO = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/CameraInfo"
POSE, ODOMETRY, TF = "geometry_msgs/msg/PoseStamped", "nav_msgs/msg/Odometry", "tf2_msgs/msg/TFMessage"
ENCODER = MessageEncoder(np.eye(4), compressed=False, map_tf=False)


def header(stamp_ns: int, frame_id: str = "camera") -> Any:
    """Return a Header."""
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)


def image(pixels: np.ndarray, encoding: str, stamp_ns: int = 10**9, frame_id: str = "camera", padding: int = 0,
          big: bool = False) -> Any:
    """Return an Image of pixels (H, W) or (H, W, C), with `padding` bytes after each row."""
    pixels = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return STORE.types[IMAGE](header=header(stamp_ns, frame_id), height=pixels.shape[0], width=pixels.shape[1],
                              encoding=encoding,
                              is_bigendian=int(big), step=rows.shape[1], data=rows.reshape(-1))


def compressed(data: bytes, format: str, stamp_ns: int = 10**9, frame_id: str = "camera") -> Any:
    """Return a CompressedImage."""
    return STORE.types[COMPRESSED](header=header(stamp_ns, frame_id), format=format, data=np.frombuffer(data, np.uint8))


def camera_info(camera: Camera = CAMERA, stamp_ns: int = 10**9, **changes: Any) -> Any:
    """Return a CameraInfo with some fields changed."""
    message = STORE.deserialize_cdr(ENCODER._camera_info(camera, stamp_ns).data, INFO)
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def pose_stamped(world_T_cam: np.ndarray, stamp_ns: int, frame_id: str = "map") -> Any:
    """Return a PoseStamped."""
    return STORE.types[POSE](header=header(stamp_ns, frame_id), pose=ENCODER._pose(world_T_cam))


def odometry(odom_T_base: np.ndarray, stamp_ns: int, child: str = "base_link") -> Any:
    """Return an Odometry."""
    message = STORE.deserialize_cdr(ENCODER._odometry(odom_T_base, stamp_ns).data, ODOMETRY)
    message.child_frame_id = child
    return message


def transforms(*edges: tuple[str, str, int, np.ndarray]) -> Any:
    """Return a TFMessage of (parent, child, stamp_ns, matrix)."""
    merged = []
    for parent, child, stamp_ns, matrix in edges:
        merged += STORE.deserialize_cdr(ENCODER._tf("/tf", stamp_ns, [(parent, child, matrix)]).data, TF).transforms
    return STORE.types[TF](transforms=merged)


def write_messages(path: Path, messages: list[tuple[str, int, Any]], storage: str = "MCAP") -> Path:
    """Write (topic, log time, message) as a bag."""
    with Writer(path, version=9, storage_plugin=StoragePlugin[storage]) as writer:
        connections = {}
        for topic, log_ns, message in messages:
            kind = message.__msgtype__
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], log_ns, STORE.serialize_cdr(message, kind))
    return path
