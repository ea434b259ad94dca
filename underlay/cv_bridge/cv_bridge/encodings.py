"""What the encodings of sensor_msgs/Image mean, and the ways from one to another."""

from __future__ import annotations

import re

import cv2
import numpy as np

DEPTHS = {"8U": "uint8", "8S": "int8", "16U": "uint16", "16S": "int16", "32S": "int32", "32F": "float32",
          "64F": "float64"}
"""OpenCV's names of numbers, and NumPy's."""

GENERIC = re.compile("(8U|8S|16U|16S|32S|32F|64F)(?:C([0-9]+))?")
"""Encodings that say nothing of colours."""

CHANNELS = {"mono": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4, "bayer_rggb": 1, "bayer_bggr": 1, "bayer_gbrg": 1,
            "bayer_grbg": 1}
COLOR = re.compile(f"({'|'.join(CHANNELS)})(8|16)")
YUV = {"yuv422": "UYVY", "yuv422_yuy2": "YUY2"}
OPENCV_NAMES = {"mono": "GRAY", "rgb": "RGB", "bgr": "BGR", "rgba": "RGBA", "bgra": "BGRA", "bayer_rggb": "BayerBG",
                "bayer_bggr": "BayerRG", "bayer_gbrg": "BayerGR", "bayer_grbg": "BayerGB"}
"""OpenCV names a Bayer pattern by its second row."""


class CvBridgeError(TypeError):
    """An encoding that is unknown or does not fit, or a conversion that makes no sense."""


def layout(encoding: str) -> tuple[np.dtype, int]:
    """Return the numbers and the channels of an encoding.

    Raises:
        CvBridgeError: it is unknown.
    """
    if encoding in YUV:
        return np.dtype("uint8"), 2
    if match := COLOR.fullmatch(encoding):
        return np.dtype(f"uint{match[2]}"), CHANNELS[match[1]]
    if match := GENERIC.fullmatch(encoding):
        return np.dtype(DEPTHS[match[1]]), int(match[2] or 1)
    raise CvBridgeError(f"Unrecognized image encoding [{encoding}]")


def is_color(encoding: str) -> bool:
    """Return whether an encoding says which colours its channels are."""
    return encoding in YUV or COLOR.fullmatch(encoding) is not None


def convert(image: np.ndarray, source: str, target: str) -> np.ndarray:
    """Return an image of encoding `source` in encoding `target`.

    Raises:
        CvBridgeError: there is no way from the one to the other.
    """
    if source == target:
        return image
    dtype, channels = layout(target)
    if not (is_color(source) and is_color(target)):
        if is_color(target) or layout(source)[1] != channels:
            raise CvBridgeError(f"[{source}] cannot become [{target}]: one is no color format, or the channels differ")
        return to_depth(image, dtype)
    code = conversion_code(source, target)
    try:
        return to_depth(image if code is None else cv2.cvtColor(image, code), dtype)
    except cv2.error as error:
        raise CvBridgeError(error) from error


def conversion_code(source: str, target: str) -> int | None:
    """Return OpenCV's code from one colour encoding to another; None when only the depth differs.

    Raises:
        CvBridgeError: OpenCV has no such conversion.
    """
    match = COLOR.fullmatch(target)
    target_name = OPENCV_NAMES[match[1]] if match else "YUV"
    if source in YUV:
        name = f"COLOR_YUV2{target_name}_{YUV[source]}"
    else:
        source_name = OPENCV_NAMES[COLOR.fullmatch(source)[1]]
        if source_name == target_name:
            return None
        name = f"COLOR_{source_name}2{target_name}"
    if not hasattr(cv2, name):
        raise CvBridgeError(f"Unsupported conversion from [{source}] to [{target}]")
    return getattr(cv2, name)


def to_depth(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return an image with other numbers; 8 and 16 bit are scaled to each other, so that white stays white."""
    if image.dtype == dtype:
        return image
    scales = {("uint8", "uint16"): 65535 / 255, ("uint16", "uint8"): 255 / 65535}
    scaled = image.astype(float) * scales.get((image.dtype.name, dtype.name), 1.0)
    if dtype.kind == "f":
        return scaled.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(scaled), limits.min, limits.max).astype(dtype)
