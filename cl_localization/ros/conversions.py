"""Converts images, cameras, timestamps, poses and points between ROS messages and arrays; the only user of cv_bridge.

Messages are not trusted: sizes, encodings and numbers are checked here, before anything is allocated.
"""

from __future__ import annotations

import array
import math
from dataclasses import replace

import cv2
import numpy as np
import tf_transformations
from builtin_interfaces.msg import Time
from cv_bridge import CvBridge, CvBridgeError
from geometry_msgs.msg import Pose, PoseWithCovariance, Transform
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2, PointField, RegionOfInterest

from cl_localization.errors import RosError
from cl_localization.geometry.camera import Camera

ENCODINGS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC1": 1, "8UC3": 3, "8UC4": 4}
"""Supported colour encodings and their bytes per pixel; the generic ones (8UC3, 8UC4) are BGR, as in OpenCV."""

DEPTH_ENCODINGS = {"16UC1": 2, "mono16": 2, "32FC1": 4}
MILLIMETRES_PER_METRE = 1000.0
NO_DEPTH_MM = 65535
NANOSECONDS = 1_000_000_000
DEFAULT_MAX_PIXELS = 40_000_000

FOCAL_LENGTHS = (0.05, 100.0)
"""Range of valid focal lengths, in multiples of the image size: a fisheye lens has 0.2, a telescope 50."""

PRINCIPAL_POINTS = (0.1, 0.9)
"""Range of valid principal points, as a share of the image's width and height."""

MAX_JPEG_SEGMENTS = 10_000
JPEG_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Markers of the JPEG segments that hold the image size."""

JPEG_STANDALONE = {0x01, *range(0xD0, 0xD8)}
JPEG_MISPLACED = {0x00, 0xD8, 0xD9, 0xDA}

_bridge = CvBridge()


def stamp_ns(stamp: Time) -> int:
    """Return a message's stamp in nanoseconds."""
    return stamp.sec * NANOSECONDS + stamp.nanosec


def time_message(nanoseconds: int) -> Time:
    """Return nanoseconds as a time message; raises RosError if they do not fit its 32-bit seconds."""
    seconds, rest = divmod(int(nanoseconds), NANOSECONDS)
    if not -2**31 <= seconds < 2**31:
        raise RosError("stamp", "must fit 32-bit seconds", f"{seconds} s", "play the sequence with stamps: now")
    return Time(sec=seconds, nanosec=rest)


def bytes_field(values: np.ndarray, typecode: str = "B") -> array.array:
    """Return an array as the value of a message's array field; 1000 times faster than assigning the array itself."""
    field = array.array(typecode)
    field.frombytes(memoryview(np.ascontiguousarray(values)).cast("B") if values.size else b"")
    return field


def rgb_image(message: Image | CompressedImage, max_pixels: int = DEFAULT_MAX_PIXELS) -> np.ndarray:
    """Return the (H, W, 3) uint8 RGB image of a raw or compressed message.

    Raises:
        RosError: an unsupported encoding, a size that does not match the data, too many pixels, damaged data.
    """
    if isinstance(message, CompressedImage):
        return _decompressed(message, max_pixels)
    if message.encoding not in ENCODINGS:
        raise RosError("image encoding", f"must be one of {', '.join(ENCODINGS)}", repr(message.encoding),
                       "convert the images, e.g. with image_proc")
    _check_layout(message, ENCODINGS[message.encoding], max_pixels)
    try:
        image = _bridge.imgmsg_to_cv2(message, desired_encoding="passthrough")
    except (CvBridgeError, cv2.error, ValueError, TypeError) as error:
        raise RosError("image", "must match its header", str(error)) from error
    image = _three_channels(image)
    return image if message.encoding.startswith(("rgb", "mono")) else cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def depth_image_m(message: Image, max_pixels: int = DEFAULT_MAX_PIXELS) -> np.ndarray:
    """Return the (H, W) float32 depth in metres of a 16UC1 (millimetres) or 32FC1 (metres) message; 0 where unknown.

    Raises:
        RosError: an unsupported encoding, a size that does not match the data, too many pixels.
    """
    if message.encoding not in DEPTH_ENCODINGS:
        raise RosError("depth encoding", f"must be one of {', '.join(DEPTH_ENCODINGS)}", repr(message.encoding),
                       "publish depth as 16UC1 in millimetres or 32FC1 in metres")
    _check_layout(message, DEPTH_ENCODINGS[message.encoding], max_pixels)
    try:
        depth = _bridge.imgmsg_to_cv2(message, desired_encoding="passthrough")
    except (CvBridgeError, cv2.error, ValueError, TypeError) as error:
        raise RosError("depth", "must match its header", str(error)) from error
    if depth.dtype == np.uint16:
        return np.where(depth == NO_DEPTH_MM, 0, depth).astype(np.float32) / np.float32(MILLIMETRES_PER_METRE)
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(depth) & (depth > 0), depth, 0).astype(np.float32)


def camera(message: CameraInfo) -> Camera:
    """Return the camera of a CameraInfo, with its binning and region of interest applied.

    Raises:
        RosError: an uncalibrated camera (K of zeros), an implausible focal length or principal point, a region of
            interest outside the image.
        GeometryError: invalid intrinsics or an unknown distortion model.
    """
    if not any(message.k):
        raise RosError("camera_info", "must hold a calibration", "K of zeros",
                       "calibrate the camera: ros2 run camera_calibration "
                       "cameracalibrator, or give the driver its camera_info_url")
    matrix = np.array(message.k, float).reshape(3, 3)
    whole = Camera.from_opencv(message.width, message.height, matrix, message.distortion_model, tuple(message.d))
    _check_lens(whole)
    found = _cropped(whole, message.roi)
    binning = max(1, message.binning_x), max(1, message.binning_y)
    return found if binning == (1, 1) else found.scaled_to(found.width_px // binning[0], found.height_px // binning[1])


def _check_lens(view: Camera) -> None:
    """Refuse implausible intrinsics, e.g. of a broken driver: a pose computed with them would be wrong or NaN."""
    size = max(view.width_px, view.height_px)
    low, high = (factor * size for factor in FOCAL_LENGTHS)
    if not low <= min(view.fx_px, view.fy_px) <= max(view.fx_px, view.fy_px) <= high:
        raise RosError("camera_info K", f"must have focal lengths from {low:g} to {high:g} px",
                       f"fx={view.fx_px} fy={view.fy_px}", "calibrate the camera")
    centre = view.cx_px / view.width_px, view.cy_px / view.height_px
    if not (PRINCIPAL_POINTS[0] <= min(centre) and max(centre) <= PRINCIPAL_POINTS[1]):
        raise RosError("camera_info K", f"must have its principal point at {PRINCIPAL_POINTS[0]} to "
                                        f"{PRINCIPAL_POINTS[1]} of the image",
                       f"cx={view.cx_px} cy={view.cy_px}", "calibrate the camera")


def _cropped(view: Camera, roi: RegionOfInterest) -> Camera:
    """Return the camera of a region of interest; a size of zero means the whole image."""
    width, height = roi.width or view.width_px, roi.height or view.height_px
    if roi.x_offset + width > view.width_px or roi.y_offset + height > view.height_px:
        raise RosError("camera_info roi", f"must lie in the image of {view.width_px}x{view.height_px}",
                       f"{width}x{height} at {roi.x_offset}, {roi.y_offset}")
    return replace(view, width_px=width, height_px=height, cx_px=view.cx_px - roi.x_offset,
                   cy_px=view.cy_px - roi.y_offset)


def camera_info_message(view: Camera) -> CameraInfo:
    """Return the CameraInfo of a camera, without header."""
    k = [float(value) for value in view.opencv_matrix.ravel()]
    model = "plumb_bob" if view.distortion_model == "none" else view.distortion_model
    return CameraInfo(width=int(view.width_px), height=int(view.height_px), distortion_model=model,
                      d=[float(value) for value in view.distortion] or [0.0] * 5, k=k,
                      r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
                      p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0])


def image_message(image: np.ndarray) -> Image:
    """Return the raw message of an (H, W, 3) uint8 RGB image, without header."""
    height, width = image.shape[:2]
    return Image(height=height, width=width, encoding="rgb8", is_bigendian=0, step=3 * width, data=bytes_field(image))


def compressed_message(image: np.ndarray) -> CompressedImage:
    """Return the JPEG message of an (H, W, 3) uint8 RGB image, without header."""
    return _bridge.cv2_to_compressed_imgmsg(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), dst_format="jpg")


def depth_message(depth_m: np.ndarray) -> Image:
    """Return the 32FC1 message of an (H, W) depth image in metres, without header."""
    height, width = depth_m.shape
    return Image(height=height, width=width, encoding="32FC1", is_bigendian=0, step=4 * width,
                 data=bytes_field(depth_m.astype(np.float32, copy=False)))


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


def _check_layout(message: Image, pixel_bytes: int, max_pixels: int) -> None:
    """Refuse an image whose size, step and data do not match, before a decoder reads outside its data."""
    size = f"{message.width}x{message.height} step {message.step} with {len(message.data)} bytes"
    if not 0 < message.width * message.height <= max_pixels:
        raise RosError("image", f"must have 1 to {max_pixels} pixels", size)
    if message.step < message.width * pixel_bytes or message.step % pixel_bytes:
        raise RosError("image step", f"must hold a row in whole pixels of {pixel_bytes} bytes", size)
    if len(message.data) < message.step * message.height:
        raise RosError("image data", "must hold step * height bytes", size)
    if message.is_bigendian and message.encoding in DEPTH_ENCODINGS:
        raise RosError("depth", "must be little-endian", "is_bigendian 1")


def _decompressed(message: CompressedImage, max_pixels: int) -> np.ndarray:
    """Decode JPEG or PNG; the size is read from the header first, so that a small file cannot claim a huge image."""
    width, height = _compressed_size(memoryview(message.data))
    if not 0 < width * height <= max_pixels:
        raise RosError("compressed image", f"must be JPEG or PNG of 1 to {max_pixels} pixels", f"{width}x{height}")
    try:
        image = _bridge.compressed_imgmsg_to_cv2(message, desired_encoding="passthrough")
    except (CvBridgeError, cv2.error, ValueError, TypeError, AttributeError) as error:
        raise RosError("compressed image", "must be complete", str(error)) from error
    if image is None or image.dtype != np.uint8:
        raise RosError("compressed image", "must be a complete 8-bit JPEG or PNG", f"format {message.format!r}")
    return cv2.cvtColor(_three_channels(image), cv2.COLOR_BGR2RGB)


def _compressed_size(data: memoryview) -> tuple[int, int]:
    """Return width and height from the header of a PNG or JPEG file; (0, 0) for anything else."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    return _jpeg_size(data) if data[:2] == b"\xff\xd8" else (0, 0)


def _jpeg_size(data: memoryview) -> tuple[int, int]:
    """Return width and height of a JPEG file; (0, 0) for an invalid one.

    It must accept the same bytes between segments as the decoder, which could otherwise decode another size.
    """
    position = 2
    for _ in range(MAX_JPEG_SEGMENTS):
        if position + 9 > len(data) or data[position] != 0xFF or data[position + 1] in JPEG_MISPLACED:
            break
        marker, length = data[position + 1], int.from_bytes(data[position + 2:position + 4], "big")
        if marker in JPEG_SIZES:
            return (int.from_bytes(data[position + 7:position + 9], "big"),
                    int.from_bytes(data[position + 5:position + 7], "big"))
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker in JPEG_STANDALONE:
            position += 2
        elif length < 2:
            break
        else:
            position += 2 + length
    return 0, 0


def _three_channels(image: np.ndarray) -> np.ndarray:
    """Return the first three channels of an image, or its single channel repeated, contiguous."""
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[..., :3])
