"""Camera pose from 2D-3D matches, with depth where it was measured: robust estimate (PoseLib), weighted refinement,
covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import poselib

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera

MIN_DEPTH_M = 1e-6
CONVERGED_SIGMAS = 0.01
"""A step below so many of its standard deviations ends the iterations, in whatever unit positions are."""


@dataclass(frozen=True, eq=False)
class PnPResult:
    """A robust pose: cam_T_world (4, 4) and which matches (N,) agree with it."""

    cam_T_world: np.ndarray
    inliers: np.ndarray


def robust_pose(camera: Camera, keypoints_px: np.ndarray, points_m: np.ndarray, threshold_px: float,
                max_iterations: int,
                seed: int) -> PnPResult | None:
    """Return the pose that most matches agree with, or None when there is none (LO-RANSAC of PoseLib).

    Args:
        camera: a pinhole camera; keypoints must be undistorted.
        keypoints_px, points_m: matches (N, 2) and (N, 3).
        threshold_px: largest reprojection error of an inlier.
    """
    if len(keypoints_px) < 4:
        return None
    ransac = {"max_reproj_error": threshold_px, "max_iterations": max_iterations,
              "min_iterations": min(100, max_iterations),
              "seed": seed}
    pose, info = poselib.estimate_absolute_pose(keypoints_px.astype(np.float64), points_m.astype(np.float64),
                                                poselib_camera(camera), ransac, {})
    inliers = np.asarray(info["inliers"], bool)
    if inliers.sum() < 4:
        return None
    cam_T_world = np.eye(4)
    cam_T_world[:3, :3], cam_T_world[:3, 3] = pose.R, pose.t
    return PnPResult(cam_T_world, inliers)


def poselib_camera(camera: Camera) -> dict[str, Any]:
    """Return a pinhole camera as PoseLib has it."""
    return {"model": "PINHOLE", "width": camera.width_px, "height": camera.height_px,
            "params": [camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px]}


def project(camera: Camera, cam_T_world: np.ndarray, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (N, 2) and depths (N,) of world points (N, 3) in a pinhole camera; behind it the depth is
    negative."""
    points_cam = se3.transform(cam_T_world, points_m)
    depth_m = points_cam[:, 2]
    safe = np.where(np.abs(depth_m) < MIN_DEPTH_M, MIN_DEPTH_M, depth_m)[:, None]
    return points_cam[:, :2] / safe * [camera.fx_px, camera.fy_px] + [camera.cx_px, camera.cy_px], depth_m


def reprojection_errors_px(camera: Camera, cam_T_world: np.ndarray, keypoints_px: np.ndarray,
                           points_m: np.ndarray) -> np.ndarray:
    """Return the pixel distances (N,) between keypoints and projected points; infinite for points behind the camera."""
    projected_px, depth_m = project(camera, cam_T_world, points_m)
    return np.where(depth_m > MIN_DEPTH_M, np.linalg.norm(projected_px - keypoints_px, axis=1), np.inf)


@dataclass(frozen=True, eq=False)
class MeasuredDepth:
    """Depths (N,) of matches [m], 0 where unknown, and the standard deviations (N,) of their differences from the
    points' [m]."""

    depths_m: np.ndarray
    sigmas_m: np.ndarray


def refined_pose(camera: Camera, cam_T_world: np.ndarray, keypoints_px: np.ndarray, points_m: np.ndarray,
                 sigmas_px: np.ndarray, iterations: int = 20,
                 depth: MeasuredDepth | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the pose of least robust, weighted reprojection error, and error in depth, and its covariance.

    Gauss-Newton on a left perturbation of cam_T_world with Cauchy weights at the scale of each match's sigma.

    Args:
        camera: a pinhole camera.
        keypoints_px, points_m, sigmas_px: matches (N, 2), (N, 3), and their expected reprojection errors (N,).
        depth: what was measured of the matches; None for nothing.

    Returns:
        cam_T_world (4, 4), and the covariance (6, 6) of the camera's position [m] and rotation [rad] in world axes,
        scaled by the residuals found: matches noisier than their sigmas make the pose less certain.
    """
    for _ in range(iterations):
        hessian, gradient, _ = _normal_equations(camera, cam_T_world, keypoints_px, points_m, sigmas_px, depth)
        step = -np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        cam_T_world = _exponential(step) @ cam_T_world
        if abs(step @ gradient) < CONVERGED_SIGMAS**2:
            break
    hessian, _, scale = _normal_equations(camera, cam_T_world, keypoints_px, points_m, sigmas_px, depth)
    cov_cam = np.linalg.pinv(hessian, hermitian=True) * max(scale, 1.0)
    return cam_T_world, _covariance_in_world(cam_T_world, cov_cam)


def _normal_equations(camera: Camera, cam_T_world: np.ndarray, keypoints_px: np.ndarray, points_m: np.ndarray,
                      sigmas_px: np.ndarray,
                      depth: MeasuredDepth | None = None) -> tuple[np.ndarray, np.ndarray, float]:
    """Return Hessian (6, 6), gradient (6,) and the mean weighted squared residual a degree of freedom."""
    x, y, z = se3.transform(cam_T_world, points_m).T
    ahead = np.maximum(z, MIN_DEPTH_M)
    u, v = x / ahead, y / ahead
    by_x, by_y = camera.fx_px / (ahead * sigmas_px), camera.fy_px / (ahead * sigmas_px)
    residuals = np.zeros((3 if depth is not None else 2, len(points_m)))
    residuals[0] = (u * camera.fx_px + camera.cx_px - keypoints_px[:, 0]) / sigmas_px
    residuals[1] = (v * camera.fy_px + camera.cy_px - keypoints_px[:, 1]) / sigmas_px
    # a row j of the derivative by the point, and by the rotation point x j; points last, as numpy adds them fastest
    jacobian = np.zeros((6, *residuals.shape))
    jacobian[[0, 2, 3, 4, 5], 0] = by_x, -by_x * u, -by_x * u * y, by_x * (z + u * x), -by_x * y
    jacobian[[1, 2, 3, 4, 5], 1] = by_y, -by_y * v, -by_y * (z + v * y), by_y * v * x, by_y * x
    known = np.full(len(points_m), 2)
    if depth is not None:
        certainty = (depth.depths_m > 0) / depth.sigmas_m
        residuals[2] = (z - depth.depths_m) * certainty
        jacobian[2:5, 2] = certainty, certainty * y, -certainty * x
        known = 2 + (depth.depths_m > 0)
    weights = 1.0 / (1.0 + (residuals**2).sum(axis=0))
    weighted = (jacobian * weights).reshape(6, -1)
    scale = float((weights * residuals**2).sum() / max((known * weights).sum(), 1e-9))
    return weighted @ jacobian.reshape(6, -1).T, weighted @ residuals.reshape(-1), scale


def _exponential(step: np.ndarray) -> np.ndarray:
    """Return the motion (4, 4) of a small step (6,): translation, then rotation vector (first order in their
    coupling)."""
    motion = np.eye(4)
    motion[:3, :3] = se3.rotation_from_vector(step[3:])
    motion[:3, 3] = step[:3]
    return motion


def _covariance_in_world(cam_T_world: np.ndarray, cov_cam: np.ndarray) -> np.ndarray:
    """Return the covariance of position and rotation of world_T_cam in world axes from that of a left step on
    cam_T_world.

    With cam_T_world' = exp(t, r) cam_T_world, the camera's position moves by -R^T (t) to first order, R^T r turns the
    other way.
    """
    world_R_cam = cam_T_world[:3, :3].T
    to_world = np.zeros((6, 6))
    to_world[:3, :3] = -world_R_cam
    to_world[3:, 3:] = -world_R_cam
    return to_world @ cov_cam @ to_world.T
