"""Whether the calibration is that of the camera: would images fit the map better with another focal length?

A wrong focal length moves poses by a share of the distance to what they see, and they are accepted all the same. But
what is near and what is far, in the middle of the image and at its border, then contradict each other: a fit of pose
and focal length together says in which direction. It says too little, as its matches were chosen with the wrong focal
length. So an image that contradicts is localized again with the focal length that it asks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import FocalMisfit, focal_misfit
from cl_localization.localization.refinement import ERROR_TO_SIGMA, KEYPOINT_SIGMA_PX, pixels_in
from cl_localization.localization.result import Localization

MAX_SIGMA = 0.02
"""Standard deviation of the logarithm of a focal length above which an image says nothing of it. Readings of a room's
compressed map, with 0.024 to 0.05, had a median of 1.05 with the right focal length."""

CONTRADICTS = 0.01
"""An image is localized again where it asks for a focal length that differs by more, as one in five of RedKitchen does
with the right one."""

AGAIN, OVERSHOOT, MAX_STEP = 2, 2.0, 0.25
"""How often it is localized again, each time with the focal length changed by so many times what it asks for, as that
is half of the error or less; and the largest change of its logarithm."""

ENOUGH, KEPT, LATER_EVERY = 8, 16, 3
"""Readings below which nothing is said, and the newest that count. Once there are enough, one accepted image of so many
is read."""

MAX_MISFIT = 0.06
"""Largest median of the readings, logarithms, with the right calibration; figures in docs/reliability.md."""


class CalibrationCheck:
    """Refuses poses while most images contradict the focal length of their calibration.

    Attributes:
        focal_factor: factor of the focal length that images ask for; 1 while too few tell.
        problem: what is wrong with the calibration and what to do; empty for nothing.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin again: no image has been read."""
        self.focal_factor, self.problem = 1.0, ""
        self._camera: Camera | None = None
        self._readings: deque[float] = deque(maxlen=KEPT)
        self._accepted = 0

    def judge(self, found: Localization, camera: Camera,
              localized_by: Callable[[Camera], Localization]) -> Localization:
        """Return a localization, refused while the calibration seems to be wrong; it is read first, if it is its turn.

        Images are read also while poses are refused, so that later ones can show that the calibration is right.

        Args:
            camera: of the image; with another one than before, all begins again.
            localized_by: returns the localization of the same image as that of another camera.
        """
        if camera != self._camera:
            self.forget()
            self._camera = camera
        if not found.accepted:
            return found
        self._accepted += 1
        if len(self._readings) < ENOUGH or self._accepted % LATER_EVERY == 0:
            reading = _reading(found, camera, localized_by)
            if reading is not None:
                self._readings.append(reading)
            if len(self._readings) >= ENOUGH:
                self.focal_factor = float(np.exp(np.median(self._readings)))
                self.problem = _problem(self.focal_factor)
        return replace(found, accepted=False, reason=self.problem) if self.problem else found


def _reading(found: Localization, camera: Camera, localized_by: Callable[[Camera], Localization]) -> float | None:
    """Return the logarithm of the factor that an image wants for the focal length; None where it does not tell."""
    log_factor, misfit = 0.0, _misfit(found, camera)
    for _ in range(AGAIN):
        if abs(misfit.log_factor) < CONTRADICTS or not misfit.sigma <= MAX_SIGMA:
            break
        log_factor += float(np.clip(OVERSHOOT * misfit.log_factor, -MAX_STEP, MAX_STEP))
        other = camera.with_focal_factor(np.exp(log_factor))
        found = localized_by(other)
        misfit = _misfit(found, other)
    return log_factor + misfit.log_factor if misfit.sigma <= MAX_SIGMA else None


def _misfit(found: Localization, camera: Camera) -> FocalMisfit:
    if not found.accepted:
        return FocalMisfit(0.0, np.inf)
    pinhole, keypoints_px = camera.pinhole(), camera.undistort(found.inlier_keypoints_px)
    sigma_px = max(pixels_in(pinhole, KEYPOINT_SIGMA_PX), ERROR_TO_SIGMA * found.reprojection_error_px)
    return focal_misfit(pinhole, se3.inverse(found.world_T_cam), keypoints_px, found.inlier_points_m,
                        np.full(len(keypoints_px), sigma_px))


def _problem(focal_factor: float) -> str:
    """Return what a factor of the focal length that images ask for says of the calibration; empty for nothing."""
    if abs(np.log(focal_factor)) <= MAX_MISFIT:
        return ""
    return (f"images fit the map better with a focal length {'longer' if focal_factor > 1 else 'shorter'} by about "
            f"{100 * abs(focal_factor - 1):.0f} % or more: is the calibration that of this camera, at this size of the "
            "image? Calibrate it (ros2 run camera_calibration cameracalibrator), or map again if the map was made with "
            "a wrong one")
