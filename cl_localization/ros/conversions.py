"""Converts timestamps, poses, points, images and cameras between arrays and ROS messages; the only user of cv_bridge.

Images, depth and cameras of messages are read by `data/message_*.py`, which the reader of bags shares.
"""

from __future__ import annotations

import array
import math

import cv2
import numpy as np
import tf_transformations
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from geometry_msgs.msg import Pose, PoseWithCovariance, Transform
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField

from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import RosError
from cl_localization.geometry.camera import Camera

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Who subscribes later gets the last message, too."""

_bridge = CvBridge()


def stamp_ns(stamp: Time) -> int:
    """Return a message's stamp in nanoseconds."""
    return stamp.sec * NS_PER_S + stamp.nanosec


def time_message(nanoseconds: int) -> Time:
    """Return nanoseconds as a time message; raises RosError if they do not fit its 32-bit seconds."""
    seconds, rest = divmod(int(nanoseconds), NS_PER_S)
    if not -2**31 <= seconds < 2**31:
        raise RosError("stamp", "must fit 32-bit seconds", f"{seconds} s", "play the sequence with stamps: now")
    return Time(sec=seconds, nanosec=rest)


def plain(frame: str) -> str:
    """Return a frame's name without the leading slash of old tf, which tf2 ignores in transforms and refuses in
    look-ups."""
    return frame.lstrip("/")


def bytes_field(values: np.ndarray, typecode: str = "B") -> array.array:
    """Return an array as the value of a message's array field; 1000 times faster than assigning the array itself."""
    field = array.array(typecode)
    field.frombytes(memoryview(np.ascontiguousarray(values)).cast("B") if values.size else b"")
    return field


def camera_info_message(view: Camera) -> CameraInfo:
    """Return the CameraInfo of a camera, without header."""
    k = [float(value) for value in view.opencv_matrix.ravel()]
    model, distortion = view.ros_distortion
    return CameraInfo(width=int(view.width_px), height=int(view.height_px), distortion_model=model, d=distortion, k=k,
                      r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
                      p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0])


def image_message(image: np.ndarray) -> Image:
    """Return the raw message of an (H, W, 3) uint8 RGB image, without header."""
    return _bridge.cv2_to_imgmsg(image, "rgb8")


def compressed_message(image: np.ndarray) -> CompressedImage:
    """Return the JPEG message of an (H, W, 3) uint8 RGB image, without header."""
    return _bridge.cv2_to_compressed_imgmsg(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dst_format="jpg")


def depth_message(depth_m: np.ndarray) -> Image:
    """Return the 32FC1 message of an (H, W) depth image in metres, without header."""
    return _bridge.cv2_to_imgmsg(depth_m.astype(np.float32, copy=False), "32FC1")


def matrix_of(pose: Pose | Transform) -> np.ndarray:
    """Return the 4x4 matrix of a pose or transform message.

    Raises:
        RosError: a number that is not finite, or a quaternion that is not normalized.
    """
    p, q = (pose.position, pose.orientation) if isinstance(pose, Pose) else (pose.translation, pose.rotation)
    values = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
    if not all(math.isfinite(value) for value in values):
        raise RosError("pose", "must be finite", values)
    if abs(math.hypot(q.x, q.y, q.z, q.w) - 1) > 0.01:
        raise RosError("quaternion", "must have length one", (q.x, q.y, q.z, q.w), "send x y z w of a rotation")
    matrix = tf_transformations.quaternion_matrix((q.x, q.y, q.z, q.w))
    matrix[:3, 3] = p.x, p.y, p.z
    return matrix


def pose_message(a_T_b: np.ndarray) -> Pose:
    """Return the pose message of a 4x4 matrix."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = (float(value) for value in a_T_b[:3, 3])
    quat_xyzw = tf_transformations.quaternion_from_matrix(a_T_b)
    q = pose.orientation
    q.x, q.y, q.z, q.w = (float(value) for value in quat_xyzw)
    return pose


def transform_message(a_T_b: np.ndarray) -> Transform:
    """Return the transform message of a 4x4 matrix."""
    pose, transform = pose_message(a_T_b), Transform()
    t, p = transform.translation, pose.position
    t.x, t.y, t.z = p.x, p.y, p.z
    transform.rotation = pose.orientation
    return transform


def pose_with_covariance(a_T_b: np.ndarray, covariance: np.ndarray) -> PoseWithCovariance:
    """Return the message of a 4x4 matrix and its (6, 6) covariance: x y z [m], rotations about x y z [rad]."""
    return PoseWithCovariance(pose=pose_message(a_T_b), covariance=[float(value) for value in covariance.ravel()])


def cloud_message(points_m: np.ndarray) -> PointCloud2:
    """Return the point cloud (float32 x y z) of points (N, 3), without header."""
    fields = [PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, name in enumerate("xyz")]
    points = np.asarray(points_m, np.float32).reshape(-1, 3)
    return PointCloud2(height=1, width=len(points), fields=fields, is_bigendian=False, point_step=12,
                       row_step=12 * len(points), data=bytes_field(points), is_dense=True)


def points_of(cloud: PointCloud2) -> np.ndarray:
    """Return the points (N, 3) float32 of a cloud that begins with float32 x y z, as `cloud_message` makes it."""
    return np.frombuffer(cloud.data, np.float32).reshape(cloud.width * cloud.height, -1)[:, :3]
