"""Messages of a bag, as `rosbags` makes them without ROS, to arrays: images, depth, cameras, poses."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cl_localization.data.camera_file import named
from cl_localization.data.images import clean_depth, decode_depth, decode_rgb, to_rgb
from cl_localization.data.limits import MAX_IMAGE_PIXELS
from cl_localization.data.stamps import NS_PER_S
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.se3 import from_quaternion

DEPTH_TYPES = {"16UC1": np.uint16, "mono16": np.uint16, "32FC1": np.float32}
MILLIMETRE_M = np.float32(0.001)
COMPRESSED_DEPTH_HEADER_BYTES = 12

RGB_LAYOUTS: dict[str, tuple[type, int, int | None]] = {
    "rgb8": (np.uint8, 3, cv2.COLOR_RGB2BGR), "bgr8": (np.uint8, 3, None), "8UC3": (np.uint8, 3, None),
    "rgb16": (np.uint16, 3, cv2.COLOR_RGB2BGR), "bgr16": (np.uint16, 3, None),
    "rgba8": (np.uint8, 4, cv2.COLOR_RGBA2BGR), "bgra8": (np.uint8, 4, cv2.COLOR_BGRA2BGR),
    "8UC4": (np.uint8, 4, cv2.COLOR_BGRA2BGR),
    "mono8": (np.uint8, 1, None), "8UC1": (np.uint8, 1, None), "mono16": (np.uint16, 1, None),
    "bayer_rggb8": (np.uint8, 1, cv2.COLOR_BayerBG2BGR), "bayer_bggr8": (np.uint8, 1, cv2.COLOR_BayerRG2BGR),
    "bayer_gbrg8": (np.uint8, 1, cv2.COLOR_BayerGR2BGR), "bayer_grbg8": (np.uint8, 1, cv2.COLOR_BayerGB2BGR),
    "yuv422": (np.uint8, 2, cv2.COLOR_YUV2BGR_UYVY), "uyvy": (np.uint8, 2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (np.uint8, 2, cv2.COLOR_YUV2BGR_YUY2), "yuyv": (np.uint8, 2, cv2.COLOR_YUV2BGR_YUY2),
}
"""Encodings of `sensor_msgs/Image` with number type, channels and OpenCV's conversion to BGR."""

SEMI_PLANAR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}


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


def is_depth(message: Any) -> bool:
    """Return whether an Image or CompressedImage holds depth."""
    encoding = getattr(message, "encoding", None)
    if encoding is not None:
        return encoding in ("16UC1", "32FC1")
    return str(message.format).startswith(("16UC1", "32FC1"))


def image_of(message: Any, thing: str) -> np.ndarray:
    """Return an Image or CompressedImage as (H, W, 3) uint8 RGB.

    Raises:
        DataError: an unknown encoding, sizes that do not fit the data, or data that cannot be decoded.
    """
    if not hasattr(message, "encoding"):
        return decode_rgb(message.data.tobytes(), thing)
    if message.encoding in SEMI_PLANAR:
        return to_rgb(_semi_planar(message, SEMI_PLANAR[message.encoding], thing), thing)
    if message.encoding not in RGB_LAYOUTS:
        known = ", ".join((*RGB_LAYOUTS, *SEMI_PLANAR))
        raise DataError(f"encoding of {thing}", f"must be one of {known}", repr(message.encoding), "convert the images")
    kind, channels, conversion = RGB_LAYOUTS[message.encoding]
    pixels = _pixels(message, kind, channels, thing)
    try:
        return to_rgb(pixels if conversion is None else cv2.cvtColor(pixels, conversion), thing)
    except cv2.error:
        raise DataError(thing, f"has a size that {message.encoding} cannot have",
                        f"{message.width}x{message.height}") from None


def depth_of(message: Any, thing: str, unit_m: float = float(MILLIMETRE_M)) -> np.ndarray:
    """Return depth as (H, W) float32 metres, 0 where unknown: 16UC1 in steps of `unit_m`, 32FC1 metres, compressedDepth
    PNG.

    Raises:
        DataError: as `image_of`.
    """
    if not hasattr(message, "encoding"):
        return _compressed_depth(message.data.tobytes(), str(message.format), thing, unit_m)
    if message.encoding not in DEPTH_TYPES:
        raise DataError(f"encoding of {thing}", f"must be one of {', '.join(DEPTH_TYPES)}", repr(message.encoding))
    pixels = _pixels(message, DEPTH_TYPES[message.encoding], 1, thing)
    if pixels.dtype == np.float32:
        return clean_depth(pixels)
    return np.where(pixels == np.iinfo(np.uint16).max, np.float32(0), pixels * np.float32(unit_m))


def _compressed_depth(data: bytes, format: str, thing: str, unit_m: float) -> np.ndarray:
    """Return depth of a CompressedImage: PNG, with the header of compressedDepth; floats are quantized by 1/depth."""
    transported = "compressedDepth" in format
    if format.startswith("16UC1") and "rvl" not in format.lower():
        return decode_depth(data[COMPRESSED_DEPTH_HEADER_BYTES if transported else 0:], unit_m, thing)
    if not (format.startswith("32FC1") and transported and "rvl" not in format.lower()) \
            or len(data) <= COMPRESSED_DEPTH_HEADER_BYTES:
        raise DataError(f"format of {thing}", "must be 16UC1 or 32FC1, compressedDepth as PNG", repr(format),
                        "record raw depth")
    _, scale, offset = struct.unpack_from("<iff", data)
    steps = decode_depth(data[COMPRESSED_DEPTH_HEADER_BYTES:], 1.0, thing)
    with np.errstate(divide="ignore", invalid="ignore"):
        return clean_depth(np.where(steps > 0, np.float32(scale) / (steps - np.float32(offset)), 0))


def _semi_planar(message: Any, conversion: int, thing: str) -> np.ndarray:
    """Return the BGR pixels of NV12 or NV21: brightness, then half as many rows of colour."""
    height, width, step = int(message.height), int(message.width), int(message.step)
    if height % 2 or width % 2 or min(height, width) < 2 or width * height > MAX_IMAGE_PIXELS or step < width \
            or len(message.data) != step * height * 3 // 2:
        raise DataError(thing, "must have even sides and half as many rows of colour as of brightness",
                        f"{width}x{height}, step {step}, {len(message.data)} bytes", "it is damaged: record it again")
    rows = np.asarray(message.data, np.uint8).reshape(height * 3 // 2, step)[:, :width]
    return cv2.cvtColor(np.ascontiguousarray(rows), conversion)


def _pixels(message: Any, kind: type, channels: int, thing: str) -> np.ndarray:
    """Return the data of an Image as (H, W) or (H, W, channels), padding removed and in this machine's byte order."""
    item = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = int(message.height), int(message.width), int(message.step)
    row_bytes = width * channels * item.itemsize
    if width * height > MAX_IMAGE_PIXELS or min(width, height) < 1:
        raise DataError(thing, f"must have 1 to {MAX_IMAGE_PIXELS} pixels", f"{width}x{height}")
    if step < row_bytes or len(message.data) != step * height:
        raise DataError(thing, f"must have rows of at least {row_bytes} bytes, {height} of them",
                        f"step {step}, {len(message.data)} bytes", "it is damaged: record it again")
    rows = np.asarray(message.data, np.uint8).reshape(height, step)[:, :row_bytes]
    pixels: np.ndarray = np.ascontiguousarray(rows).view(item).astype(kind, copy=False)
    return pixels.reshape(height, width) if channels == 1 else pixels.reshape(height, width, channels)


def camera_of(message: Any, thing: str, rectified: bool = False) -> Camera:
    """Return the camera of a CameraInfo of ROS 2 or 1, its region of interest and binning applied: that of its images.

    Args:
        rectified: whether the images are already rectified: then P holds and there is no distortion.

    Raises:
        DataError: a region of interest that is not in the image.
        GeometryError: a K of zeros (not calibrated), numbers that are no camera, or an unknown distortion model.
    """
    matrices: list[Any] = [getattr(message, name if hasattr(message, name) else name.upper()) for name in "kdp"]
    k, d, p = matrices
    with named(thing):
        if rectified:
            whole = Camera.from_opencv(message.width, message.height, np.reshape(p, (3, 4))[:, :3]).checked()
        else:
            whole = Camera.from_opencv(message.width, message.height, np.reshape(k, (3, 3)), message.distortion_model,
                                       tuple(d)).checked()
    found = _cropped(whole, message.roi, thing)
    binning = max(1, message.binning_x), max(1, message.binning_y)
    return found if binning == (1, 1) else found.scaled_to(found.width_px // binning[0], found.height_px // binning[1])


def _cropped(whole: Camera, roi: Any, thing: str) -> Camera:
    """Return the camera of a region of the image; of all of it for a region of size zero."""
    width_px, height_px = int(roi.width) or whole.width_px, int(roi.height) or whole.height_px
    if roi.x_offset + width_px > whole.width_px or roi.y_offset + height_px > whole.height_px:
        raise DataError(f"region of {thing}", f"must lie in the image of {whole.width_px}x{whole.height_px}",
                        f"{width_px}x{height_px} at {roi.x_offset}, {roi.y_offset}")
    return replace(whole, width_px=width_px, height_px=height_px, cx_px=whole.cx_px - int(roi.x_offset),
                   cy_px=whole.cy_px - int(roi.y_offset))


def pose_of(pose: Any) -> np.ndarray:
    """Return the 4x4 matrix of a geometry_msgs Pose. Raises GeometryError when it is none."""
    position, rotation = pose.position, pose.orientation
    return from_quaternion(np.array([position.x, position.y, position.z]),
                           np.array([rotation.x, rotation.y, rotation.z, rotation.w]))


def transform_of(transform: Any) -> np.ndarray:
    """Return the 4x4 matrix of a geometry_msgs Transform. Raises GeometryError when it is none."""
    shift, rotation = transform.translation, transform.rotation
    return from_quaternion(np.array([shift.x, shift.y, shift.z]),
                           np.array([rotation.x, rotation.y, rotation.z, rotation.w]))
