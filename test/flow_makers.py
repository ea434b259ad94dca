"""A textured wall whose images are exact from everywhere, and full localizations of them, for the tests of flow."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from cl_localization.data.frame import Frame
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.localization.result import Localization
from core_makers import CAMERA, WALL_M, motion

PIXELS_PER_M, SIDE_M = 120, 16.0
PERIOD_NS = 33_000_000
START_NS = 1_000_000_000_000
SUPPORT = 60
SIGMA_M = 0.01


@functools.cache
def texture(seed: int = 0) -> np.ndarray:
    """Return what is painted on the wall, (S, S, 3) uint8: noise of several sizes."""
    random, side = np.random.default_rng(seed), round(PIXELS_PER_M * SIDE_M)
    painted = sum(cv2.resize(random.normal(size=(side // size, side // size, 3)).astype(np.float32), (side, side),
                             interpolation=cv2.INTER_CUBIC) for size in (4, 10, 30))
    return np.clip(128 + 35 * painted, 0, 255).astype(np.uint8)


def on_wall(world_T_cam: np.ndarray, keypoints_px: np.ndarray, camera: Camera = CAMERA) -> np.ndarray:
    """Return the points (N, 3) of the wall that a camera sees at keypoints (N, 2)."""
    rays = np.column_stack([camera.normalize(keypoints_px), np.ones(len(keypoints_px))]) @ world_T_cam[:3, :3].T
    origin_m = world_T_cam[:3, 3]
    return origin_m + rays * ((WALL_M - origin_m[2]) / rays[:, 2])[:, None]


def wall_image(world_T_cam: np.ndarray, camera: Camera = CAMERA, seed: int = 0) -> np.ndarray:
    """Return the image (H, W, 3) of the wall from a pose."""
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    points_m = on_wall(world_T_cam, np.column_stack([x.ravel(), y.ravel()]), camera)
    where = ((points_m[:, :2] + SIDE_M / 2) * PIXELS_PER_M).astype(np.float32).reshape(*x.shape, 2)
    return cv2.remap(texture(seed), where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def wall_frame(world_T_cam: np.ndarray, number: int = 0, camera: Camera = CAMERA, seed: int = 0,
               odom_T_cam: np.ndarray | None = None) -> Frame:
    """Return the frame with this number of a camera with 30 images a second."""
    return Frame(START_NS + number * PERIOD_NS, wall_image(world_T_cam, camera, seed), camera, world_T_cam=world_T_cam,
                 odom_T_cam=odom_T_cam)


def localized(frame: Frame, count: int = 100, map_error_m: float = 0.0, support: float = SUPPORT,
              seed: int = 0) -> Localization:
    """Return a full localization of a frame of the wall at its true pose, from points that are off by some error."""
    random = np.random.default_rng(seed)
    camera = frame.camera
    keypoints_px = random.uniform([12, 12], [camera.width_px - 12, camera.height_px - 12], (count, 2))
    points_m = on_wall(frame.world_T_cam, keypoints_px, camera) + random.normal(scale=map_error_m, size=(count, 3))
    return Localization(
        frame.stamp_ns, True, "ok", frame.world_T_cam, np.diag([SIGMA_M**2] * 3 + [1e-6] * 3), keypoints=2 * count,
        matches=round(support), inliers=count, inlier_ratio=1.0, inlier_features=np.arange(count),
        inlier_codes=np.arange(count), inlier_points_m=points_m, inlier_keypoints_px=keypoints_px)


def pose(x_m: float = 0.0, yaw_deg: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    """Return the pose (4, 4) of a camera that looks at the wall; yaw turns it about its y axis."""
    return motion(np.array([0, np.deg2rad(yaw_deg), 0]), np.array([x_m, 0.0, z_m]))


def mahalanobis(found: Localization, true_world_T_cam: np.ndarray) -> float:
    """Return the squared Mahalanobis distance of a pose to the true one."""
    error = se3.difference(found.world_T_cam, true_world_T_cam)
    return float(error @ np.linalg.solve(found.covariance, error))
