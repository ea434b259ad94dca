"""The errors of the robot's sensors: vignette, gain, gamma and noise of the camera, range errors and gaps of depth, and
the drift of the wheels."""

from __future__ import annotations

import itertools

import cv2
import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.simulation.furniture import stand

SCALE_SIGMA, TURN_SIGMA = 0.01, 0.001
"""Standard deviations of the constant errors: share of the distance driven, share of the angle turned."""
WALK_M, WALK_RAD = 0.01, 0.005
"""Standard deviations of the random walk after one metre; it grows with the root of the distance."""

VIGNETTE = 0.22
"""Share of the light that is lost in the corners."""
DEPTH_STEP, DEPTH_SIGMA = 2.9e-3, 1.2e-3
"""Quantisation and noise of a structured-light sensor at one metre [m]; both grow with the square of the distance."""
DEPTH_RANGE_M = (0.4, 5.0)


class Sensor:
    """Turns rendered images into recorded ones.

    Args:
        camera: size and principal point.
        gain, gamma: recorded = gain * value ** gamma for values in 0..1.
        noise: standard deviation in grey levels of 0..255.
        seed: of all noise; the noise of a frame depends on its number only.
    """

    def __init__(self, camera: Camera, gain: float, gamma: float, noise: float, seed: int) -> None:
        self.seed = seed
        self.curve = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).astype(np.uint8)
        x = (np.arange(camera.width_px) + 0.5 - camera.cx_px) / camera.width_px
        y = (np.arange(camera.height_px) + 0.5 - camera.cy_px) / camera.width_px
        radius2 = (x ** 2 + y[:, None] ** 2) / (0.25 + 0.25 * (camera.height_px / camera.width_px) ** 2)
        self.shade = cv2.merge([np.clip(255 * (1 - VIGNETTE * radius2), 0, 255).astype(np.uint8)] * 3)
        bank = np.random.default_rng([seed, 10]).normal(0, noise, (2 * camera.height_px, 2 * camera.width_px, 3))
        self.noise = np.rint(bank).astype(np.int16) if noise > 0 else None

    def image(self, rendered: np.ndarray, number: int) -> np.ndarray:
        """Return what the camera records of a rendered image (H, W, 3) uint8."""
        image = cv2.LUT(cv2.multiply(rendered, self.shade, scale=1 / 255), self.curve)
        if self.noise is None:
            return image
        height, width = image.shape[:2]
        top, left = np.random.default_rng([self.seed, 11, number]).integers(0, [height, width])
        return cv2.add(image, self.noise[top:top + height, left:left + width], dtype=cv2.CV_8U)

    def depth_m(self, exact_m: np.ndarray, number: int) -> np.ndarray:
        """Return depth (H, W) float32 as a structured-light sensor gives it: 0 at edges, out of range, and here and
        there."""
        rng = np.random.default_rng([self.seed, 12, number])
        square = exact_m ** 2
        noisy = exact_m + DEPTH_SIGMA * square * rng.standard_normal(exact_m.shape, dtype=np.float32)
        step = DEPTH_STEP * np.maximum(square, 0.1)
        noisy = np.rint(noisy / step) * step
        jump = cv2.dilate(exact_m, np.ones((3, 3))) - cv2.erode(exact_m, np.ones((3, 3)))
        lost = (jump > 0.05 * exact_m + 0.03) | (exact_m < DEPTH_RANGE_M[0]) | (exact_m > DEPTH_RANGE_M[1])
        lost |= rng.random(exact_m.shape, dtype=np.float32) < 0.01
        return np.where(lost, 0, noisy).astype(np.float32)


def drifting(seed: int, world_T_base: np.ndarray, drift: float) -> np.ndarray:
    """Return odom_T_base (N, 4, 4), planar, for true poses (N, 4, 4); it starts at the identity.

    Args:
        drift: factor on all errors; 0 gives the true motion.
    """
    rng = np.random.default_rng([seed, 9])
    scale, turn = 1 + drift * rng.normal(0, SCALE_SIGMA), 1 + drift * rng.normal(0, TURN_SIGMA)
    pose, poses = np.eye(4), [np.eye(4)]
    for before, after in itertools.pairwise(world_T_base):
        step = se3.inverse(before) @ after
        yaw, root_m = np.arctan2(step[1, 0], step[0, 0]), np.sqrt(np.linalg.norm(step[:2, 3]))
        noise = drift * root_m * rng.normal(0, 1, 3) * [WALK_M, WALK_M, WALK_RAD]
        pose = pose @ stand(step[0, 3] * scale + noise[0], step[1, 3] * scale + noise[1], yaw * turn + noise[2])
        poses.append(pose)
    return np.stack(poses)
