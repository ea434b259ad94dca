"""What calibrations of others mean: names and lengths of distortion models, matrices that are no camera's."""

from __future__ import annotations

import numpy as np

from cl_localization.errors import GeometryError

DISTORTION_COEFFICIENTS = {"none": (0,), "plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}
"""Models of `sensor_msgs/CameraInfo` (and "none") with the numbers of coefficients each may have; rational with 12 and
14 has OpenCV's thin prism and tilt too."""

OTHER_NAMES = {
    "": "plumb_bob", "radtan": "plumb_bob", "radial_tangential": "plumb_bob", "opencv": "plumb_bob",
    "brown": "plumb_bob", "brown_conrady": "plumb_bob", "pinhole": "plumb_bob",
    "rational": "rational_polynomial", "full_opencv": "rational_polynomial",
    "fisheye": "equidistant", "kannala_brandt": "equidistant", "kannala_brandt4": "equidistant",
    "kannalabrandt8": "equidistant", "equi": "equidistant", "opencv_fisheye": "equidistant",
}
"""Names that calibration tools and drivers give the same models."""

NO_PINHOLE = frozenset({"fov", "atan", "omni", "mei", "omnidirectional", "unified", "ds", "double_sphere", "eucm"})
"""Models whose images are no pinhole's even where all coefficients are zero."""

FOCAL_LENGTHS = (0.05, 100.0)
"""Least and largest focal length believed, in longer image sides: a fisheye has 0.2, a telescope 50."""

PRINCIPAL_POINTS = (0.1, 0.9)
"""Range of principal points that are believed, in widths and heights of the image. One that was never set, or that a
driver has cut to another number, lies at its border, and poses computed with it are wrong by tens of degrees."""

LAST_ROW_TOLERANCE = 1e-6
SKEW_TOLERANCE_PX = 0.05
"""Largest shift by skew, at the upper and lower border of the image, that is ignored."""


def understood_distortion(model: str, coefficients: tuple[float, ...]) -> tuple[str, tuple[float, ...]]:
    """Return a model of `DISTORTION_COEFFICIENTS` and coefficients of a length it has.

    Zeros beyond that length are dropped. The models of OpenCV's perspective camera are told apart by the number of
    their coefficients, as OpenCV does, and all zeros of them are "none"; an equidistant lens with zeros stays one.

    Raises:
        GeometryError: an unknown model, or a number of coefficients that it cannot have.
    """
    name = model.strip().lower().replace("-", "_").replace(" ", "_")
    name = OTHER_NAMES.get(name, name)
    if name == "equidistant":
        return name, _without_zeros(coefficients or (0.0,) * 4, DISTORTION_COEFFICIENTS[name])
    if name not in NO_PINHOLE and not any(coefficients):
        return "none", ()
    if name not in DISTORTION_COEFFICIENTS or name == "none":
        known = ", ".join(DISTORTION_COEFFICIENTS)
        raise GeometryError("distortion model", f"must be one of {known}", repr(model),
                            "rectify the images or convert the calibration")
    shortened = _without_zeros(coefficients, DISTORTION_COEFFICIENTS["plumb_bob"])
    if name == "plumb_bob" and len(shortened) in DISTORTION_COEFFICIENTS["plumb_bob"]:
        return name, shortened
    longer = _without_zeros(coefficients, DISTORTION_COEFFICIENTS["rational_polynomial"])
    return ("rational_polynomial" if len(longer) >= 8 else "plumb_bob"), longer


def _without_zeros(coefficients: tuple[float, ...], lengths: tuple[int, ...]) -> tuple[float, ...]:
    """Return coefficients without the zeros beyond the shortest of some lengths that holds the others."""
    if len(coefficients) in lengths:
        return coefficients
    return next((coefficients[:length] for length in lengths
                 if len(coefficients) > length and not any(coefficients[length:])), coefficients)


def check_matrix(matrix: np.ndarray, height_px: int) -> None:
    """Check the form of a 3x3 camera matrix K; its numbers are checked by `Camera`.

    Raises:
        GeometryError: another shape, written by columns, a last row other than 0 0 1, or skew that moves pixels.
    """
    if matrix.shape != (3, 3):
        raise GeometryError("camera matrix K", "must be 3x3", f"shape {matrix.shape}")
    if not np.isfinite(matrix).all() or not matrix.any():
        return  # that of a camera that is not calibrated
    if is_by_columns(matrix):
        raise GeometryError("camera matrix K", "must be written row by row", f"last row {matrix[2].tolist()}",
                            "it is written column by column: transpose it")
    if np.abs(matrix[2] - [0, 0, 1]).max() > LAST_ROW_TOLERANCE or matrix[1, 0] != 0:
        raise GeometryError("camera matrix K", "must be fx s cx, 0 fy cy, 0 0 1", matrix.tolist(),
                            "is it a camera matrix?")
    if matrix[1, 1] > 0 and abs(matrix[0, 1]) * 0.5 * height_px > SKEW_TOLERANCE_PX * matrix[1, 1]:
        raise GeometryError("camera matrix K", "must have no skew", f"skew {matrix[0, 1]:g} px",
                            "undistort the images, or calibrate without skew")


def is_by_columns(matrix: np.ndarray) -> bool:
    """Return whether a 3x3 camera matrix was written column by column: its principal point stands in the last row."""
    return bool(np.abs(matrix[:, 2] - [0, 0, 1]).max() <= LAST_ROW_TOLERANCE and np.abs(matrix[2, :2]).max() > 1)
