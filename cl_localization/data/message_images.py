"""Colour images of ROS messages as arrays: the one reading that nodes and the reader of bags share.

Messages are taken as they are, of rclpy or `rosbags`, and are not trusted: sizes are checked before anything is made.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from cl_localization.data.files import MAX_IMAGE_PIXELS
from cl_localization.data.images import check_size, decode_image, to_rgb
from cl_localization.errors import DataError

RGB_LAYOUTS: dict[str, tuple[type, int, int | None]] = {
    "rgb8": (np.uint8, 3, cv2.COLOR_RGB2BGR), "bgr8": (np.uint8, 3, None), "8UC3": (np.uint8, 3, None),
    "rgb16": (np.uint16, 3, cv2.COLOR_RGB2BGR), "bgr16": (np.uint16, 3, None), "16UC3": (np.uint16, 3, None),
    "rgba8": (np.uint8, 4, cv2.COLOR_RGBA2BGR), "bgra8": (np.uint8, 4, cv2.COLOR_BGRA2BGR),
    "8UC4": (np.uint8, 4, cv2.COLOR_BGRA2BGR),
    "rgba16": (np.uint16, 4, cv2.COLOR_RGBA2BGR), "bgra16": (np.uint16, 4, cv2.COLOR_BGRA2BGR),
    "mono8": (np.uint8, 1, None), "8UC1": (np.uint8, 1, None),
    "mono16": (np.uint16, 1, None), "16UC1": (np.uint16, 1, None),
    **{f"bayer_{pattern}{bits}": (kind, 1, conversion)
       for bits, kind in ((8, np.uint8), (16, np.uint16))
       for pattern, conversion in (("rggb", cv2.COLOR_BayerBG2BGR), ("bggr", cv2.COLOR_BayerRG2BGR),
                                   ("gbrg", cv2.COLOR_BayerGR2BGR), ("grbg", cv2.COLOR_BayerGB2BGR))},
    "yuv422": (np.uint8, 2, cv2.COLOR_YUV2BGR_UYVY), "uyvy": (np.uint8, 2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": (np.uint8, 2, cv2.COLOR_YUV2BGR_YUY2), "yuyv": (np.uint8, 2, cv2.COLOR_YUV2BGR_YUY2),
}
"""Encodings of `sensor_msgs/Image` with number type, channels and OpenCV's conversion to BGR, in which the generic ones
(8UC3) are."""

SEMI_PLANAR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}
DAMAGED = "the driver or the recording has damaged it"


def rgb_of(message: Any, thing: str, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """Return an Image or CompressedImage as (H, W, 3) uint8 RGB.

    Raises:
        DataError: an unknown encoding, sizes that do not fit the data, too many pixels, or data that cannot be decoded.
    """
    encoding = getattr(message, "encoding", None)
    if encoding is None:
        return _decompressed(message, thing, max_pixels)
    if encoding in SEMI_PLANAR:
        return to_rgb(_semi_planar(message, thing, max_pixels), thing)
    if encoding not in RGB_LAYOUTS:
        raise DataError(f"encoding of {thing}", f"must be one of {', '.join((*RGB_LAYOUTS, *SEMI_PLANAR))}",
                        repr(encoding), "convert the images, e.g. with image_proc")
    kind, channels, conversion = RGB_LAYOUTS[encoding]
    return to_rgb(_converted(pixels_of(message, kind, channels, thing, max_pixels), conversion, encoding, thing), thing)


def pixels_of(message: Any, kind: type, channels: int, thing: str, max_pixels: int) -> np.ndarray:
    """Return the data of an Image as (H, W) or (H, W, channels), its rows' padding removed and in this machine's byte
    order.

    Raises:
        DataError: too many pixels, or sizes that do not fit the data.
    """
    item = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    height, width = int(message.height), int(message.width)
    check_size(width, height, thing, max_pixels)
    rows = _rows(message, height, width * channels * item.itemsize, thing)
    pixels: np.ndarray = np.ascontiguousarray(rows).view(item).astype(kind, copy=False)
    return pixels.reshape(height, width) if channels == 1 else pixels.reshape(height, width, channels)


def _rows(message: Any, rows: int, row_bytes: int, thing: str) -> np.ndarray:
    """Return the data as (rows, row_bytes) uint8, a view; the step may be of any length, the last row not padded."""
    data, step = np.frombuffer(message.data, np.uint8), int(message.step)
    needed = step * (rows - 1) + row_bytes
    if step < row_bytes or len(data) < needed:
        raise DataError(thing, f"must have rows of at least {row_bytes} bytes, {rows} of them",
                        f"step {step}, {len(data)} bytes", DAMAGED)
    return np.lib.stride_tricks.as_strided(data, (rows, row_bytes), (step, 1), writeable=False)


def _semi_planar(message: Any, thing: str, max_pixels: int) -> np.ndarray:
    """Return the BGR pixels of NV12 or NV21: brightness, then half as many rows of colour."""
    height, width = int(message.height), int(message.width)
    check_size(width, height, thing, max_pixels)
    if height % 2 or width % 2:
        raise DataError(thing, f"must have even sides for {message.encoding}", f"{width}x{height}")
    rows = _rows(message, height * 3 // 2, width, thing)
    return cv2.cvtColor(np.ascontiguousarray(rows), SEMI_PLANAR[message.encoding])


def _decompressed(message: Any, thing: str, max_pixels: int) -> np.ndarray:
    """Return a CompressedImage as RGB. Its format, as `rgb8; jpeg compressed bgr8`, names the encoding it was made of
    and the order of its channels."""
    encoding, _, codec = str(message.format).partition(";")
    pixels = decode_image(bytes(message.data), thing, max_pixels)
    if pixels.ndim == 2 and encoding.startswith("bayer_") and encoding in RGB_LAYOUTS:
        pixels = _converted(pixels, RGB_LAYOUTS[encoding][2], encoding, thing)
    rgb = to_rgb(pixels, thing)
    return np.ascontiguousarray(rgb[..., ::-1]) if "compressed rgb" in codec else rgb


def _converted(pixels: np.ndarray, conversion: int | None, encoding: str, thing: str) -> np.ndarray:
    try:
        return pixels if conversion is None else cv2.cvtColor(pixels, conversion)
    except cv2.error:
        raise DataError(thing, f"has a size that {encoding} cannot have",
                        f"{pixels.shape[1]}x{pixels.shape[0]}") from None
