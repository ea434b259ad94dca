"""Nodes and the reader of bags read the same message alike: every case goes through both."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("cl_localization.msg", reason="ROS 2 or the built messages are not here: run scripts/test")

from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.errors import LocalizationError
from cl_localization.geometry.camera import Camera
from data.bag_makers import STORE, camera_info, compressed, image, write_messages
from data.makers import CAMERA
from data.rvl_encoder import encode_rvl
from ros_images import Stage

KINDS = {"Image": Image, "CompressedImage": CompressedImage, "CameraInfo": CameraInfo}
REGION = STORE.types["sensor_msgs/msg/RegionOfInterest"]
COLUMNS, ROWS = np.meshgrid(np.linspace(40, 200, 32), np.linspace(60, 180, 24))
RGB = np.stack([COLUMNS, ROWS, 240 - COLUMNS], axis=2).astype(np.uint8)
BGR, GREY = RGB[..., ::-1], RGB[..., 0]
DEPTH_MM = np.where(COLUMNS < 60, 0, 10 * ROWS).astype(np.uint16)
DEPTH_M = DEPTH_MM / 1000
LENS = Camera(32, 24, 30.0, 31.0, 16.0, 12.0, "plumb_bob", (-0.28, 0.07, 0.0, 0.0, 0.02))
P_OF_OTHERS = np.array([25, 0, 15.5, 0, 0, 26, 11.5, 0, 0, 0, 1, 0], float)


def planes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness (24, 32), and blue and red of every second row and column (12, 16)."""
    rows = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    return rows[:24], rows[24:30].reshape(12, 16), rows[30:].reshape(12, 16)


def interleaved(order: str) -> np.ndarray:
    """YUV 4:2:2 (24, 32, 2): a colour beside each brightness, blue and red in turns."""
    y, u, v = planes()
    colours = np.stack([u, v], axis=2).reshape(12, 32).repeat(2, axis=0)
    return np.stack([y, colours] if order == "yc" else [colours, y], axis=2)


def semi_planar(encoding: str, padding: int = 0) -> Any:
    """NV12 or NV21."""
    y, u, v = planes()
    colours = np.stack([u, v] if encoding == "nv12" else [v, u], axis=2).reshape(12, 32)
    message = image(np.concatenate([y, colours]), encoding, padding=padding)
    message.height = 24
    return message


def mosaic(pattern: str, kind: type = np.uint8) -> np.ndarray:
    """One colour of each pixel, as behind a Bayer filter."""
    found = np.empty((24, 32), np.uint8)
    for place, colour in enumerate(pattern):
        found[place // 2::2, place % 2::2] = RGB[place // 2::2, place % 2::2, "rgb".index(colour)]
    return found.astype(kind) * (257 if kind is np.uint16 else 1)


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def compressed_depth(codec: str, floats: bool) -> Any:
    """A message of the transport compressedDepth."""
    scale, offset = 100.0 * 101.0, 1.0 - 100.0 * 101.0 / 10.0
    with np.errstate(divide="ignore"):
        steps = np.where(DEPTH_MM > 0, scale / DEPTH_M + offset, 0).astype(np.uint16) if floats else DEPTH_MM
    size = struct.pack("<II", steps.shape[1], steps.shape[0])
    data = size + encode_rvl(steps) if codec == "rvl" else png(steps)
    return compressed(struct.pack("<iff", 0, scale, offset) + data,
                      f"{'32FC1' if floats else '16UC1'}; compressedDepth {codec}".strip())


@dataclass
class Case:
    """Messages, and what both must make of them.

    Attributes:
        topic: of the image.
        rgb, depth_m, camera: what is right. tolerance: of the image's colours, borders left out.
        refused: of an error instead.
    """

    image: Any = field(default_factory=lambda: image(RGB, "rgb8"))
    info: Any = field(default_factory=camera_info)
    depth: Any = None
    topic: str = "/cam/image_raw"
    rectified: str = "auto"
    rgb: np.ndarray = field(default_factory=lambda: RGB)
    camera: Camera = CAMERA
    depth_m: np.ndarray | None = None
    tolerance: int = 0
    refused: str = ""


def by_node(case: Case) -> Frame:
    """The frame as a node reads it."""
    suffix = "compressed" if hasattr(case.image, "format") else "raw"
    depth = "compressedDepth" if hasattr(case.depth, "format") else "raw"
    stage = Stage("off" if case.depth is None else "on", {"image": case.topic}, transport=suffix, depth_transport=depth,
                  rectified=case.rectified)
    for message, topic in ((case.info, "camera_info"), (case.depth, "depth"), (case.image, "image")):
        if message is not None:
            callback = next(call for name, call in stage.node.callbacks.items()
                            if name == topic or (name.startswith((f"/robot/{topic}", case.topic)) and topic in name))
            kind = message.__msgtype__
            callback(deserialize_message(bytes(STORE.serialize_cdr(message, kind)), KINDS[kind.rsplit("/", 1)[1]]))
    return stage.bundles[0].frame()


def by_bag(case: Case, folder: Path) -> Frame:
    """The frame as the reader of bags reads it."""
    suffix = "/compressed" if hasattr(case.image, "format") else ""
    depth = "/cam/depth/compressedDepth" if hasattr(case.depth, "format") else "/cam/depth"
    messages = [(case.topic + suffix, 10**9, case.image), ("/cam/camera_info", 10**9, case.info)]
    messages += [] if case.depth is None else [(depth, 10**9, case.depth)]
    bag = write_messages(folder / "bag", messages)
    return open_sequence(f"{bag}?image={case.topic}{suffix}&rectified={case.rectified}")[0]


def padded(step: int) -> Any:
    """An image of 24 rows of a camera whose driver pads rows to `step` bytes."""
    return image(RGB, "rgb8", padding=step - 96)


COLOURS = {
    "rgb8": Case(image(RGB, "rgb8")), "bgr8": Case(image(BGR, "bgr8")), "8UC3": Case(image(BGR, "8UC3")),
    "rgba8": Case(image(np.dstack([RGB, GREY]), "rgba8")), "bgra8": Case(image(np.dstack([BGR, GREY]), "bgra8")),
    "mono8": Case(image(GREY, "mono8"), rgb=np.dstack([GREY] * 3)),
    "8UC1": Case(image(GREY, "8UC1"), rgb=np.dstack([GREY] * 3)),
    "mono16": Case(image(GREY.astype(np.uint16) * 257, "mono16"), rgb=np.dstack([GREY] * 3)),
    "16UC1 of a grey camera": Case(image(GREY.astype(np.uint16) * 257, "16UC1"), rgb=np.dstack([GREY] * 3)),
    "rgb16": Case(image(RGB.astype(np.uint16) * 257, "rgb16")),
    "bgr16 big-endian": Case(image(BGR.astype(np.uint16) * 257, "bgr16", big=True)),
    **{f"bayer_{pattern}{bits}": Case(image(mosaic(pattern, kind), f"bayer_{pattern}{bits}"), tolerance=12)
       for pattern in ("rggb", "bggr", "gbrg", "grbg") for bits, kind in ((8, np.uint8), (16, np.uint16))},
    "yuv422": Case(image(interleaved("cy"), "yuv422"), tolerance=12),
    "uyvy": Case(image(interleaved("cy"), "uyvy"), tolerance=12),
    "yuv422_yuy2": Case(image(interleaved("yc"), "yuv422_yuy2"), tolerance=12),
    "yuyv": Case(image(interleaved("yc"), "yuyv"), tolerance=12),
    "nv12": Case(semi_planar("nv12"), tolerance=12), "nv21": Case(semi_planar("nv21", padding=32), tolerance=12),
    "rows padded to a power of two": Case(padded(128)), "rows padded by two bytes": Case(padded(98)),
    "a compressed PNG": Case(compressed(png(BGR), "rgb8; png compressed bgr8")),
    "a compressed PNG of grey": Case(compressed(png(GREY), "mono8; png compressed "), rgb=np.dstack([GREY] * 3)),
    "a compressed PNG of 16 bits": Case(compressed(png(BGR.astype(np.uint16) * 257), "rgb16; png compressed bgr16")),
    "a compressed JPEG": Case(compressed(cv2.imencode(".jpg", BGR)[1].tobytes(), "rgb8; jpeg compressed bgr8"),
                              tolerance=6),
    "an unknown encoding": Case(image(RGB, "nv24"), refused="encoding of .* must be one of rgb8"),
    "rows that are too short": Case(image(RGB[:, :20], "rgb8"), refused="must have the camera's size 32x24"),
    "text for a JPEG": Case(compressed(b"hello world", "jpeg"), refused="must be a PNG, JPEG"),
}
CAMERAS = {
    "binning": Case(image(RGB[::2, ::2], "rgb8"), camera_info(binning_x=2, binning_y=2), rgb=RGB[::2, ::2],
                    camera=Camera(16, 12, 15, 15.5, 8, 6)),
    "a region": Case(image(RGB[4:12, 2:12], "rgb8"), camera_info(roi=REGION(2, 4, 8, 10, False)), rgb=RGB[4:12, 2:12],
                     camera=Camera(10, 8, 30, 31, 14, 8)),
    "K and D of a raw image": Case(info=camera_info(LENS, p=P_OF_OTHERS), camera=LENS),
    "P of a rectified image": Case(info=camera_info(LENS, p=P_OF_OTHERS), topic="/cam/image_rect_color",
                                   camera=Camera(32, 24, 25, 26, 16, 12)),
    "P where the user says so": Case(info=camera_info(LENS, p=P_OF_OTHERS), rectified="always",
                                     camera=Camera(32, 24, 25, 26, 16, 12)),
    "plumb_bob of eight with zeros": Case(info=camera_info(LENS, d=np.array([*LENS.distortion, 0, 0, 0])), camera=LENS),
    "rational of twelve": Case(
        info=camera_info(distortion_model="rational_polynomial", d=np.array([0.1] * 8 + [0.01] * 4)),
        camera=Camera(32, 24, 30, 31, 16, 12, "rational_polynomial", (0.1,) * 8 + (0.01,) * 4)),
    "rational of fourteen": Case(
        info=camera_info(distortion_model="rational_polynomial", d=np.array([0.1] * 8 + [0.01] * 6)),
        camera=Camera(32, 24, 30, 31, 16, 12, "rational_polynomial", (0.1,) * 8 + (0.01,) * 6)),
    "equidistant of five": Case(info=camera_info(distortion_model="equidistant", d=np.array([0.1, 0.2, 0, 0, 0])),
                                camera=Camera(32, 24, 30, 31, 16, 12, "equidistant", (0.1, 0.2, 0, 0))),
    "equidistant with zeros": Case(info=camera_info(distortion_model="equidistant", d=np.zeros(4)),
                                   camera=Camera(32, 24, 30, 31, 16, 12, "equidistant", (0.0,) * 4)),
    "the name fisheye": Case(info=camera_info(distortion_model="fisheye", d=np.array([0.1, 0.2, 0, 0.1])),
                             camera=Camera(32, 24, 30, 31, 16, 12, "equidistant", (0.1, 0.2, 0, 0.1))),
    "a principal point that was never set": Case(
        info=camera_info(k=np.array([30, 0, 0.0, 0, 31, 11.5, 0, 0, 1])),
        refused="must have its principal point at 0.1 to 0.9 of the image"),
    "no calibration": Case(info=camera_info(k=np.zeros(9)), refused="must hold a calibration, found K of zeros"),
    "a principal point outside": Case(info=camera_info(k=np.array([30, 0, 40.0, 0, 31, 11.5, 0, 0, 1])),
                                      refused="must have its principal point at 0.1 to 0.9 of the image"),
    "calibration of another size": Case(info=camera_info(Camera(64, 48, 60.0, 62.0, 32.0, 24.0)),
                                        refused="must have the camera's size 64x48"),
    "a region outside": Case(info=camera_info(roi=REGION(30, 4, 8, 10, False)), refused="must lie in the image"),
}
DEPTHS = {
    "16UC1": Case(depth=image(DEPTH_MM, "16UC1"), depth_m=DEPTH_M),
    "16UC1 big-endian": Case(depth=image(DEPTH_MM, "16UC1", big=True), depth_m=DEPTH_M),
    "32FC1 with padded rows": Case(depth=image(np.where(DEPTH_MM > 0, DEPTH_M, np.nan).astype(np.float32), "32FC1",
                                               padding=6), depth_m=DEPTH_M),
    "compressedDepth": Case(depth=compressed_depth("", False), depth_m=DEPTH_M),
    "compressedDepth png": Case(depth=compressed_depth("png", False), depth_m=DEPTH_M),
    "compressedDepth rvl": Case(depth=compressed_depth("rvl", False), depth_m=DEPTH_M),
    "compressedDepth png of floats": Case(depth=compressed_depth("png", True), depth_m=DEPTH_M),
    "compressedDepth rvl of floats": Case(depth=compressed_depth("rvl", True), depth_m=DEPTH_M),
    "depth of another size": Case(depth=image(DEPTH_MM[:, :20], "16UC1"), refused="must have the image's size 32x24"),
}


@pytest.mark.parametrize("name", [*COLOURS, *CAMERAS, *DEPTHS])
def test_nodes_and_bags_read_the_same_message_alike(name: str, tmp_path: Path) -> None:
    case = (COLOURS | CAMERAS | DEPTHS)[name]
    for read in (lambda: by_node(case), lambda: by_bag(case, tmp_path)):
        if case.refused:
            with pytest.raises(LocalizationError, match=case.refused):
                read()
            continue
        frame = read()
        inside = slice(2, -2) if case.tolerance else slice(None)
        difference = np.abs(frame.image.astype(int) - case.rgb)[inside, inside]
        assert difference.max() <= case.tolerance and frame.camera == case.camera
        assert (frame.depth_m is None) == (case.depth_m is None)
        if case.depth_m is not None:
            np.testing.assert_allclose(frame.depth_m, case.depth_m, rtol=5e-3)
