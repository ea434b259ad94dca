"""A calibrated camera: intrinsics, lens distortion, and the way between pixels and rays.

Pixel coordinates follow COLMAP: the centre of the top-left pixel is (0.5, 0.5). OpenCV and ROS `CameraInfo` put it at
(0, 0); `Camera.from_opencv` and `Camera.opencv_matrix` convert. Camera axes: x right, y down, z forward.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from cl_localization.errors import GeometryError
from cl_localization.geometry.camera_models import (
    DISTORTION_COEFFICIENTS,
    FOCAL_LENGTHS,
    PRINCIPAL_POINTS,
    check_matrix,
    understood_distortion,
)

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
