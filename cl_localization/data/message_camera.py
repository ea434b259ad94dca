"""Calibrations of ROS messages as cameras: the one reading that nodes and the reader of bags share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cl_localization.errors import DataError, named
from cl_localization.geometry.camera import Camera

RECTIFIED = ("auto", "always", "never")
CALIBRATE = ("calibrate the camera: ros2 run camera_calibration cameracalibrator, or give the driver its "
             "camera_info_url")


def is_rectified(topic: str, choice: str = "auto") -> bool:
    """Return whether the images of a topic are rectified: by one of `RECTIFIED`, "auto" by a word in the topic's name.

    Raises:
        DataError: another choice.
    """
    if choice not in RECTIFIED:
        raise DataError("option rectified", f"must be one of {', '.join(RECTIFIED)}", repr(choice))
    words = set(topic.replace("/", "_").split("_"))
    return choice == "always" or (choice == "auto" and bool(words & {"rect", "rectified"}))


def camera_of(message: Any, thing: str, rectified: bool = False) -> Camera:
    """Return the camera of a CameraInfo of ROS 2 or 1, its region of interest and binning applied: that of its images.

    Args:
        rectified: whether the images are already rectified: then P holds and there is no distortion.

    Raises:
        DataError: a camera that is not calibrated, or a region of interest that is not in the image.
        GeometryError: numbers that are no camera, or an unknown distortion model.
    """
    k, d, p = _matrices(message)
    size_px = int(message.width), int(message.height)
    with named(thing):
        if rectified and (p.any() or d.any()):
            whole = Camera.from_opencv(*size_px, _calibrated(p, "P", thing)).checked()
        else:  # a camera without distortion, as simulated ones are, may leave P out
            whole = Camera.from_opencv(*size_px, _calibrated(k, "K", thing), message.distortion_model,
                                       tuple(d)).checked()
    return _binned(_cropped(whole, message.roi, thing), message)


def rectification_note(message: Any, thing: str) -> str:
    """Return a note on a CameraInfo whose K and P differ, where no one says whether the images are rectified."""
    k, d, p = _matrices(message)
    if not (d.any() and p.any()):
        return ""
    return (f"{thing} has a distorted lens (K: fx {k[0, 0]:.1f} px), which is used, and a rectified camera "
            f"(P: fx {p[0, 0]:.1f} px): if the images are rectified, say so")


def _matrices(message: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return K (3, 3), D (N,) and the left of P (3, 3); ROS 1 writes them in capitals."""
    k, d, p = (np.asarray(getattr(message, name if hasattr(message, name) else name.upper()), float) for name in "kdp")
    return k.reshape(3, 3), d, p.reshape(3, 4)[:, :3]


def _calibrated(matrix: np.ndarray, name: str, thing: str) -> np.ndarray:
    if not matrix.any():
        raise DataError(thing, "must hold a calibration", f"{name} of zeros", CALIBRATE)
    return matrix


def _cropped(whole: Camera, roi: Any, thing: str) -> Camera:
    """Return the camera of a region of the image; of all of it for a region of size zero."""
    width_px, height_px = int(roi.width) or whole.width_px, int(roi.height) or whole.height_px
    if roi.x_offset + width_px > whole.width_px or roi.y_offset + height_px > whole.height_px:
        raise DataError(f"region of {thing}", f"must lie in the image of {whole.width_px}x{whole.height_px}",
                        f"{width_px}x{height_px} at {roi.x_offset}, {roi.y_offset}")
    return replace(whole, width_px=width_px, height_px=height_px, cx_px=whole.cx_px - int(roi.x_offset),
                   cy_px=whole.cy_px - int(roi.y_offset))


def _binned(camera: Camera, message: Any) -> Camera:
    """Return the camera of an image whose pixels are each of several of the sensor's; 0 and 1 are no binning."""
    x, y = max(1, int(message.binning_x)), max(1, int(message.binning_y))
    return replace(camera, width_px=camera.width_px // x, height_px=camera.height_px // y, fx_px=camera.fx_px / x,
                   fy_px=camera.fy_px / y, cx_px=camera.cx_px / x, cy_px=camera.cy_px / y)
