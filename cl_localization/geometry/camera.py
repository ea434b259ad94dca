"""A calibrated camera: intrinsics, lens distortion, and the way between pixels and rays.

Pixel coordinates follow COLMAP: the centre of the top-left pixel is (0.5, 0.5). OpenCV and ROS `CameraInfo` put it at
(0, 0); `Camera.from_opencv` and `Camera.opencv_matrix` convert. Camera axes: x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
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

PIXEL_CENTRE = 0.5

UNDISTORTION_CRITERIA = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 50, 1e-8)
"""OpenCV's default of 5 iterations leaves half a pixel at the corners of common lenses."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with lens distortion.

    Attributes:
        width_px, height_px: image size.
        fx_px, fy_px, cx_px, cy_px: focal lengths and principal point, first pixel centre at (0.5, 0.5).
        distortion_model: a key of `DISTORTION_COEFFICIENTS`.
        distortion: its coefficients in OpenCV's order.

    Raises:
        GeometryError: sizes or focal lengths that are not positive, an unknown model, a wrong number of coefficients.
    """

    width_px: int
    height_px: int
    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    distortion_model: str = "none"
    distortion: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.width_px <= 0 or self.height_px <= 0:
            raise GeometryError("camera", "must have a positive size", f"{self.width_px}x{self.height_px}")
        intrinsics = (self.fx_px, self.fy_px, self.cx_px, self.cy_px, *self.distortion)
        if not np.isfinite(intrinsics).all() or self.fx_px <= 0 or self.fy_px <= 0:
            raise GeometryError("camera matrix K", "must be finite with positive focal lengths",
                                f"fx={self.fx_px} fy={self.fy_px} cx={self.cx_px} cy={self.cy_px}",
                                "calibrate the camera")
        if self.distortion_model not in DISTORTION_COEFFICIENTS:
            raise GeometryError("distortion model", f"must be one of {', '.join(DISTORTION_COEFFICIENTS)}",
                                repr(self.distortion_model), "rectify the images or convert the calibration")
        if len(self.distortion) not in DISTORTION_COEFFICIENTS[self.distortion_model]:
            raise GeometryError(f"distortion of {self.distortion_model}",
                                f"must have {DISTORTION_COEFFICIENTS[self.distortion_model]} coefficients",
                                len(self.distortion))

    @classmethod
    def from_opencv(cls, width_px: int, height_px: int, matrix: np.ndarray, distortion_model: str = "",
                    distortion: tuple[float, ...] = ()) -> Camera:
        """Make a camera from OpenCV's or ROS's 3x3 matrix, whose first pixel centre is (0, 0).

        Models may have the names and lengths of other tools, see `understood_distortion`.

        Raises:
            GeometryError: a matrix or distortion that is none, skew.
        """
        matrix = np.asarray(matrix, float)
        check_matrix(matrix, height_px)
        model, distortion = understood_distortion(distortion_model, tuple(float(value) for value in distortion))
        return cls(int(width_px), int(height_px), float(matrix[0, 0]), float(matrix[1, 1]),
                   float(matrix[0, 2]) + PIXEL_CENTRE, float(matrix[1, 2]) + PIXEL_CENTRE, model, distortion)

    @property
    def ros_distortion(self) -> tuple[str, list[float]]:
        """Model and coefficients as ROS states them: a camera without distortion has five zeros of plumb_bob."""
        ideal = self.distortion_model == "none"
        return ("plumb_bob", [0.0] * 5) if ideal else (self.distortion_model, [float(one) for one in self.distortion])

    def checked(self) -> Camera:
        """Return this camera of a file or message, if it can be one.

        Raises:
            GeometryError: a principal point outside the image or at its border, or a focal length that no lens has.
        """
        size_px = max(self.width_px, self.height_px)
        low, high = (factor * size_px for factor in FOCAL_LENGTHS)
        if not low <= min(self.fx_px, self.fy_px) <= max(self.fx_px, self.fy_px) <= high:
            raise GeometryError("camera matrix K", f"must have focal lengths from {low:g} to {high:g} px",
                                f"fx={self.fx_px:g} fy={self.fy_px:g} for {self.width_px}x{self.height_px}",
                                "give pixels, for this image size")
        least, most = PRINCIPAL_POINTS
        if not all(least <= share <= most for share in (self.cx_px / self.width_px, self.cy_px / self.height_px)):
            raise GeometryError("camera matrix K",
                                f"must have its principal point at {least:g} to {most:g} of the image",
                                f"cx={self.cx_px:g} cy={self.cy_px:g} for {self.width_px}x{self.height_px}",
                                "give the calibration of this image size")
        return self

    def fitted(self, width_px: int, height_px: int) -> Camera:
        """Return the camera of the same images in another size; a side that is off by a pixel is taken.

        Raises:
            GeometryError: sizes of other ratios.
        """
        if (width_px, height_px) == (self.width_px, self.height_px):
            return self
        scale = width_px / self.width_px
        if abs(scale * self.height_px - height_px) > max(1.0, scale):
            raise GeometryError("camera", f"must be of images of {width_px}x{height_px}, or their ratio",
                                f"{self.width_px}x{self.height_px}", "give the calibration of this image size")
        return self.scaled_to(width_px, height_px)

    @property
    def matrix(self) -> np.ndarray:
        """The 3x3 matrix K in this package's pixel convention."""
        return np.array([[self.fx_px, 0, self.cx_px], [0, self.fy_px, self.cy_px], [0, 0, 1.0]])

    @property
    def opencv_matrix(self) -> np.ndarray:
        """The 3x3 matrix K in the convention of OpenCV and ROS."""
        return self.matrix - np.array([[0, 0, PIXEL_CENTRE], [0, 0, PIXEL_CENTRE], [0, 0, 0]])

    @property
    def focal_px(self) -> float:
        """The mean focal length."""
        return 0.5 * (self.fx_px + self.fy_px)

    def pinhole(self) -> Camera:
        """Return this camera without its distortion: the camera of undistorted keypoints."""
        return Camera(self.width_px, self.height_px, self.fx_px, self.fy_px, self.cx_px, self.cy_px)

    def with_focal_factor(self, factor: float) -> Camera:
        """Return this camera with its focal lengths times a factor."""
        return replace(self, fx_px=self.fx_px * float(factor), fy_px=self.fy_px * float(factor))

    def scaled_to(self, width_px: int, height_px: int) -> Camera:
        """Return the camera of the same images resized to width_px x height_px."""
        sx, sy = width_px / self.width_px, height_px / self.height_px
        return Camera(width_px, height_px, self.fx_px * sx, self.fy_px * sy, self.cx_px * sx, self.cy_px * sy,
                      self.distortion_model, self.distortion)

    def undistort(self, keypoints_px: np.ndarray) -> np.ndarray:
        """Return keypoints (N, 2) as the pinhole camera of the same K would see them, float64."""
        normalized = self.normalize(keypoints_px)
        return normalized * [self.fx_px, self.fy_px] + [self.cx_px, self.cy_px]

    def normalize(self, keypoints_px: np.ndarray) -> np.ndarray:
        """Return (x/z, y/z) (N, 2) of the rays through keypoints (N, 2), distortion removed, float64."""
        keypoints_px = np.asarray(keypoints_px, float).reshape(-1, 2)
        if self.distortion_model == "none" or len(keypoints_px) == 0:
            return (keypoints_px - [self.cx_px, self.cy_px]) / [self.fx_px, self.fy_px]
        keypoints_px, coefficients = keypoints_px[:, None], np.array(self.distortion)
        if self.distortion_model == "equidistant":
            return cv2.fisheye.undistortPoints(keypoints_px, self.matrix, coefficients)[:, 0]
        return cv2.undistortPointsIter(  # type: ignore[call-overload]  # its stubs do not know None
            keypoints_px, self.matrix, coefficients, None, None, UNDISTORTION_CRITERIA)[:, 0]

    def project(self, points_cam: np.ndarray) -> np.ndarray:
        """Return the pixels (N, 2) where points (N, 3) of the camera frame appear, distortion applied.

        Points must lie in front of the camera (z > 0); others give meaningless pixels.
        """
        points_cam = np.asarray(points_cam, float).reshape(-1, 3)
        if self.distortion_model == "none" or len(points_cam) == 0:
            return points_cam[:, :2] / points_cam[:, 2:] * [self.fx_px, self.fy_px] + [self.cx_px, self.cy_px]
        project_points = cv2.fisheye.projectPoints if self.distortion_model == "equidistant" else cv2.projectPoints
        zero = np.zeros(3)
        return project_points(points_cam[:, None], zero, zero, self.matrix, np.array(self.distortion))[0][:, 0]

    def contains(self, keypoints_px: np.ndarray) -> np.ndarray:
        """Return which of the pixels (N, 2) lie inside the image, bool (N,)."""
        return np.all((keypoints_px >= 0) & (keypoints_px < [self.width_px, self.height_px]), axis=1)


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
