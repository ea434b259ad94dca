"""Frames as serialized ROS messages, made by `rosbags` without ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from cl_localization.data.export import depth_to_mm
from cl_localization.data.frame import Frame
from cl_localization.data.stamps import NS_PER_S
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import inverse, to_quaternion

MAP, ODOM, BASE, CAMERA = "map", "odom", "base_link", "camera_optical_frame"
"""Frames of tf."""

JPEG_QUALITY = 95
FOREVER_S, FOREVER_NS = 9223372036, 854775807


@dataclass(frozen=True)
class Encoded:
    """A serialized message with its topic and type; `latched` for transient local."""

    topic: str
    kind: str
    data: bytes | memoryview
    latched: bool = False


def qos_profiles(latched: bool) -> list[Any]:
    """Return the QoS that a topic was offered with: reliable, and transient local if `latched`."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
    forever = QosTime(FOREVER_S, FOREVER_NS)
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return [Qos(QosHistory.KEEP_LAST, 1 if latched else 10, QosReliability.RELIABLE, durability, forever, forever,
                QosLiveliness.AUTOMATIC, forever, False)]


class MessageEncoder:
    """Turns frames into messages; see `bag_writer` for the topics."""

    def __init__(self, base_T_cam: np.ndarray, compressed: bool, map_tf: bool) -> None:
        from rosbags.typesys import Stores, get_typestore
        self.typestore = get_typestore(Stores.ROS2_KILTED)
        self._compressed, self._map_tf = compressed, map_tf
        self._base_T_cam, self._cam_T_base = base_T_cam, inverse(base_T_cam)

    def static_tf(self, stamp_ns: int) -> Encoded:
        """Return the message of /tf_static."""
        return self._tf("/tf_static", stamp_ns, [(BASE, CAMERA, self._base_T_cam)], latched=True)

    def encode(self, frame: Frame, stamp_ns: int) -> Iterator[Encoded]:
        """Yield the messages of a frame, tf first so that it is there when the image arrives."""
        transforms = list(self._transforms(frame))
        if transforms:
            yield self._tf("/tf", stamp_ns, transforms)
        if frame.odom_T_cam is not None:
            yield self._odometry(frame.odom_T_cam @ self._cam_T_base, stamp_ns)
        if frame.world_T_cam is not None:
            yield self._serialized("/ground_truth", "geometry_msgs/msg/PoseStamped",
                                   header=self._header(stamp_ns, MAP), pose=self._pose(frame.world_T_cam))
        yield self._camera_info(frame.camera, stamp_ns)
        if frame.depth_m is not None:
            yield self._image("/camera/depth/image_raw", depth_to_mm(frame.depth_m), "16UC1", stamp_ns)
        if self._compressed:
            yield self._jpeg(frame.image, stamp_ns)
        else:
            yield self._image("/camera/image_raw", frame.image, "rgb8", stamp_ns)

    def _transforms(self, frame: Frame) -> Iterator[tuple[str, str, np.ndarray]]:
        if frame.odom_T_cam is not None:
            yield ODOM, BASE, frame.odom_T_cam @ self._cam_T_base
        if self._map_tf and frame.world_T_cam is not None:
            if frame.odom_T_cam is None:
                yield MAP, BASE, frame.world_T_cam @ self._cam_T_base
            else:
                yield MAP, ODOM, frame.world_T_cam @ inverse(frame.odom_T_cam)

    def _serialized(self, topic: str, kind: str, latched: bool = False, **fields: Any) -> Encoded:
        return Encoded(topic, kind, self.typestore.serialize_cdr(self._message(kind, **fields), kind), latched)

    def _message(self, kind: str, **fields: Any) -> Any:
        return self.typestore.types[kind](**fields)

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        stamp = self._message("builtin_interfaces/msg/Time", sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S)
        return self._message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)

    def _pose(self, a_T_b: np.ndarray) -> Any:
        position_m, quat_xyzw = to_quaternion(a_T_b)
        return self._message("geometry_msgs/msg/Pose", position=self._vector("Point", position_m),
                             orientation=self._vector("Quaternion", quat_xyzw))

    def _vector(self, kind: str, xyzw: np.ndarray) -> Any:
        return self._message(f"geometry_msgs/msg/{kind}", **dict(zip("xyzw", map(float, xyzw))))

    def _tf(self, topic: str, stamp_ns: int, transforms: list[tuple[str, str, np.ndarray]],
            latched: bool = False) -> Encoded:
        stamped = []
        for parent, child, matrix in transforms:
            position_m, quat_xyzw = to_quaternion(matrix)
            transform = self._message("geometry_msgs/msg/Transform", translation=self._vector("Vector3", position_m),
                                      rotation=self._vector("Quaternion", quat_xyzw))
            stamped.append(self._message("geometry_msgs/msg/TransformStamped", header=self._header(stamp_ns, parent),
                                         child_frame_id=child, transform=transform))
        return self._serialized(topic, "tf2_msgs/msg/TFMessage", latched, transforms=stamped)

    def _odometry(self, odom_T_base: np.ndarray, stamp_ns: int) -> Encoded:
        still, unknown = self._vector("Vector3", np.zeros(3)), np.zeros(36)
        twist = self._message("geometry_msgs/msg/Twist", linear=still, angular=still)
        return self._serialized(
            "/odom", "nav_msgs/msg/Odometry", header=self._header(stamp_ns, ODOM), child_frame_id=BASE,
            pose=self._message("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(odom_T_base),
                               covariance=unknown),
            twist=self._message("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=unknown))

    def _camera_info(self, camera: Camera, stamp_ns: int) -> Encoded:
        (model, distortion), matrix = camera.ros_distortion, camera.opencv_matrix
        whole = self._message("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0,
                              do_rectify=False)
        return self._serialized(
            "/camera/camera_info", "sensor_msgs/msg/CameraInfo", header=self._header(stamp_ns, CAMERA),
            height=camera.height_px, width=camera.width_px, distortion_model=model, d=np.array(distortion),
            k=matrix.reshape(-1), r=np.eye(3).reshape(-1),
            p=np.column_stack([matrix, np.zeros(3)]).reshape(-1),
            binning_x=0, binning_y=0, roi=whole)

    def _image(self, topic: str, pixels: np.ndarray, encoding: str, stamp_ns: int) -> Encoded:
        height_px, width_px = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
        return self._serialized(topic, "sensor_msgs/msg/Image", header=self._header(stamp_ns, CAMERA),
                                height=height_px, width=width_px, encoding=encoding, is_bigendian=0,
                                step=len(data) // height_px, data=data)

    def _jpeg(self, image: np.ndarray, stamp_ns: int) -> Encoded:
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].reshape(-1)
        return self._serialized("/camera/image_raw/compressed", "sensor_msgs/msg/CompressedImage",
                                header=self._header(stamp_ns, CAMERA), format="rgb8; jpeg compressed bgr8", data=data)
