"""Changes at random for the paper's form: of images as ACE makes them, and of the frame of a scene's points."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from cl_localization.data.frame import Frame
from cl_localization.geometry.camera import PIXEL_CENTRE

MAX_TURN_DEG, MAX_ZOOM, JITTER = 15.0, 1.5, 0.1
"""Bounds of the turn about the optical axis, of the factor of the size, and of brightness and contrast about 1."""

MAX_SCALE, SHIFT_M = 2.0, 0.5
"""Bound of the factor on a scene's size, and standard deviation of its shift along each axis."""


@dataclass(frozen=True, eq=False)
class SceneChange:
    """Points x of a scene become `linear` @ x + `shift_m`; `linear` (3, 3) is a rotation times a scale."""

    linear: np.ndarray
    shift_m: np.ndarray


NO_CHANGE = SceneChange(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))


def scene_change(rng: np.random.Generator) -> SceneChange:
    """Return a change at random: any rotation, half to twice the size, and a shift."""
    scale = math.exp(rng.uniform(-1, 1) * math.log(MAX_SCALE))
    rotation = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    return SceneChange((scale * rotation).astype(np.float32), rng.normal(0, SHIFT_M, 3).astype(np.float32))


def augmented_frame(frame: Frame, rng: np.random.Generator) -> Frame:
    """Return a posed frame turned and zoomed about its principal point and of other brightness and contrast.

    The pose turns and the focal lengths grow with the image, so every point is seen where it was. What comes into the
    image from beyond its border is reflected, and has no depth.
    """
    turn = math.radians(rng.uniform(-MAX_TURN_DEG, MAX_TURN_DEG))
    zoom = math.exp(rng.uniform(-1, 1) * math.log(MAX_ZOOM))
    camera = replace(frame.camera, fx_px=zoom * frame.camera.fx_px, fy_px=zoom * frame.camera.fy_px)
    to_old = _to_old_pixels(frame, turn, zoom)
    size = (camera.width_px, camera.height_px)
    image = cv2.warpAffine(frame.image, to_old, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                           borderMode=cv2.BORDER_REFLECT)
    depth_m = None if frame.depth_m is None else cv2.warpAffine(
        frame.depth_m, to_old, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT)
    old_T_new = np.eye(4)
    old_T_new[:3, :3] = Rotation.from_euler("z", turn).as_matrix()
    return replace(frame, image=_jittered(image, rng), camera=camera, depth_m=depth_m,
                   world_T_cam=frame.world_T_cam @ old_T_new, odom_T_cam=None)


def _to_old_pixels(frame: Frame, turn: float, zoom: float) -> np.ndarray:
    """Return the (2, 3) matrix from pixels of the new image to those of the old one, counted as OpenCV does."""
    camera = frame.camera
    old = np.array([[camera.fx_px, 0], [0, camera.fy_px]])
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = old @ rotation @ np.linalg.inv(zoom * old)
    centre = np.array([camera.cx_px, camera.cy_px]) - PIXEL_CENTRE
    return np.column_stack([linear, centre - linear @ centre])


def _jittered(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image of other brightness and contrast."""
    brightness, contrast = rng.uniform(1 - JITTER, 1 + JITTER, 2)
    mean = float(image.mean())
    curve = brightness * (mean + contrast * (np.arange(256) - mean))
    return cv2.LUT(image, np.clip(np.rint(curve), 0, 255).astype(np.uint8))
