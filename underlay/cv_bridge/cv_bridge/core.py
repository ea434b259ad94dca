"""The bridge itself."""

from __future__ import annotations

import sys

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from cv_bridge.encodings import DEPTHS, CvBridgeError, convert, layout

OPENCV_DEPTHS = {numpy_name: opencv_name for opencv_name, numpy_name in DEPTHS.items()}


class CvBridge:
    """Converts images; holds no state. Arrays are (H, W) or (H, W, C)."""

    def imgmsg_to_cv2(self, img_msg: Image, desired_encoding: str = "passthrough") -> np.ndarray:
        """Return the array of an image message, in another encoding on wish.

        Rows may be padded by whole pixels; other paddings shear the image, as in the real package. Without padding and
        conversion the array is a view of the message's data.

        Raises:
            CvBridgeError: unknown encoding, or no way to the desired one.
            TypeError: fewer data than height x step.
        """
        dtype, channels = layout(img_msg.encoding)
        foreign = bool(img_msg.is_bigendian) == (sys.byteorder == "little")
        columns = int(img_msg.step / dtype.itemsize / channels)
        shape = (img_msg.height, columns) if channels == 1 else (img_msg.height, columns, channels)
        image = np.ndarray(shape, dtype.newbyteorder() if foreign else dtype, img_msg.data)
        image = np.ascontiguousarray(image[:, :img_msg.width], dtype)
        return image if desired_encoding == "passthrough" else convert(image, img_msg.encoding, desired_encoding)

    def compressed_imgmsg_to_cv2(self, cmprs_img_msg: CompressedImage,
                                 desired_encoding: str = "passthrough") -> np.ndarray | None:
        """Return the decoded array of a compressed image; without conversion None for data that cannot be decoded.

        Raises:
            CvBridgeError: the data cannot be decoded, or no way from bgr8 to the desired encoding.
        """
        buffer = np.frombuffer(cmprs_img_msg.data, np.uint8)
        image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if buffer.size else None
        if desired_encoding == "passthrough":
            return image
        if image is None:
            raise CvBridgeError(f"compressed image of format [{cmprs_img_msg.format}] cannot be decoded")
        return convert(image, "bgr8", desired_encoding)

    def cv2_to_imgmsg(self, cvim: np.ndarray, encoding: str = "passthrough", header: Header | None = None) -> Image:
        """Return the message of an array; `encoding` says what its channels are.

        Raises:
            TypeError: not an array.
            CvBridgeError: the encoding is unknown or does not fit the array's numbers or channels.
        """
        check_array(cvim)
        generic = f"{OPENCV_DEPTHS[cvim.dtype.name]}C{cvim.shape[2] if cvim.ndim == 3 else 1}"
        if encoding != "passthrough" and layout(encoding) != layout(generic):
            raise CvBridgeError(f"encoding specified as {encoding}, but image has incompatible type {generic}")
        message = Image(height=cvim.shape[0], width=cvim.shape[1],
                        encoding=generic if encoding == "passthrough" else encoding)
        if header is not None:
            message.header = header
        message.is_bigendian = int(cvim.dtype.byteorder == ">")
        message.data.frombytes(cvim.tobytes())
        message.step = len(message.data) // message.height
        return message

    def cv2_to_compressed_imgmsg(self, cvim: np.ndarray, dst_format: str = "jpg") -> CompressedImage:
        """Return the message of an array, compressed as `dst_format`: jpg, png, ...

        Raises:
            TypeError: not an array.
        """
        check_array(cvim)
        message = CompressedImage(format=dst_format)
        message.data.frombytes(cv2.imencode("." + dst_format, cvim)[1].tobytes())
        return message


def check_array(cvim: object) -> None:
    """Raise TypeError for what is no array."""
    if not isinstance(cvim, (np.ndarray, np.generic)):
        raise TypeError("Your input type is not a numpy array")
