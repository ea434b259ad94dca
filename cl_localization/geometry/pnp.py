"""Camera pose from 2D-3D matches, with depth where it was measured: robust estimate (PoseLib), weighted refinement,
covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import poselib

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera

MIN_DEPTH_M = 1e-6
CONVERGED_SIGMAS, NEAR_SIGMAS = 0.01, 3.0
"""A step below so many of its standard deviations ends the iterations, in whatever unit positions are; one below the
other is near enough for Newton's method."""

MAX_FOCAL_STEP = 0.3
"""Largest step of the logarithm of a focal length."""

CONVEX_SHARE, ROUNDING = 0.1, 1e-9
"""The cost must curve in every direction at least this share of what it would with fixed weights, rounding aside."""


@dataclass(frozen=True, eq=False)
class PnPResult:
    """A robust pose: cam_T_world (4, 4) and which matches (N,) agree with it."""

    cam_T_world: np.ndarray
    inliers: np.ndarray


def robust_pose(camera: Camera, keypoints_px: np.ndarray, points_m: np.ndarray, threshold_px: float,
                max_iterations: int, seed: int, start_cam_T_world: np.ndarray | None = None) -> PnPResult | None:
    """Return the pose that most matches agree with, or None when there is none (LO-RANSAC of PoseLib).

    Args:
        camera: a pinhole camera; keypoints must be undistorted.
        keypoints_px, points_m: matches (N, 2) and (N, 3).
        threshold_px: largest reprojection error of an inlier.
        start_cam_T_world: (4, 4) a pose to begin with.
    """
    if len(keypoints_px) < 4:
        return None
    ransac = {"max_reproj_error": threshold_px, "max_iterations": max_iterations,
              "min_iterations": min(100, max_iterations),
              "seed": seed}
    start = None if start_cam_T_world is None else poselib_pose(start_cam_T_world)
    pose, info = poselib.estimate_absolute_pose(keypoints_px.astype(np.float64), points_m.astype(np.float64),
                                                poselib_camera(camera), ransac, {}, initial_pose=start)
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


def poselib_pose(cam_T_world: np.ndarray) -> Any:
    """Return a pose (4, 4) as PoseLib has it."""
    pose = poselib.CameraPose()
    pose.R, pose.t = cam_T_world[:3, :3], cam_T_world[:3, 3]
    return pose


def project(camera: Camera, cam_T_world: np.ndarray, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (N, 2) and depths (N,) of world points (N, 3) in a pinhole camera; behind it the depth is
    negative."""
    # a coordinate after the other: NumPy is several times as slow along an axis of three
    x_m, y_m, depth_m = cam_T_world[:3, :3] @ points_m.T + cam_T_world[:3, 3:]
    safe = np.where(np.abs(depth_m) < MIN_DEPTH_M, MIN_DEPTH_M, depth_m)
    return np.stack([x_m / safe * camera.fx_px + camera.cx_px, y_m / safe * camera.fy_px + camera.cy_px]).T, depth_m


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

    Gauss-Newton on a left perturbation of cam_T_world with Cauchy weights at the scale of each match's sigma; near the
    pose, where that takes many small steps, Newton's method, which knows how the weights change.

    Args:
        camera: a pinhole camera.
        keypoints_px, points_m, sigmas_px: matches (N, 2), (N, 3), and their expected reprojection errors (N,).
        depth: what was measured of the matches; None for nothing.

    Returns:
        cam_T_world (4, 4), and the covariance (6, 6) of the camera's position [m] and rotation [rad] in world axes,
        scaled by the residuals found: matches noisier than their sigmas make the pose less certain.
    """
    for _ in range(iterations):
        equations = _normal_equations(camera, cam_T_world, keypoints_px, points_m, sigmas_px, depth)
        gradient, step = equations.gradient, _step(equations)
        cam_T_world = _exponential(step) @ cam_T_world
        if abs(step @ gradient) < CONVERGED_SIGMAS**2:
            break
    equations = _normal_equations(camera, cam_T_world, keypoints_px, points_m, sigmas_px, depth)
    cov_cam = np.linalg.pinv(equations.hessian, hermitian=True) * max(equations.scale, 1.0)
    return cam_T_world, _covariance_in_world(cam_T_world, cov_cam)


class FocalMisfit(NamedTuple):
    """Logarithm of the factor that the focal length needs for matches to agree best, and its standard deviation."""

    log_factor: float
    sigma: float


def focal_misfit(camera: Camera, cam_T_world: np.ndarray, keypoints_px: np.ndarray, points_m: np.ndarray,
                 sigmas_px: np.ndarray, iterations: int = 10) -> FocalMisfit:
    """Return by how much the focal length is off, where it and the pose are fitted together; see `refined_pose`.

    The standard deviation is large where a shift does what a focal length does: on a wall that is seen squarely.
    """
    log_factor = 0.0
    for _ in range(iterations):
        longer = camera.with_focal_factor(np.exp(log_factor))
        equations = _normal_equations(longer, cam_T_world, keypoints_px, points_m, sigmas_px, with_focal=True)
        step = _step(equations)
        cam_T_world = _exponential(step[:6]) @ cam_T_world
        log_factor += float(np.clip(step[6], -MAX_FOCAL_STEP, MAX_FOCAL_STEP))
        if abs(step @ equations.gradient) < CONVERGED_SIGMAS**2:
            break
    hessian = equations.hessian
    alone = hessian[6, 6] - hessian[6, :6] @ np.linalg.lstsq(hessian[:6, :6], hessian[:6, 6], rcond=None)[0]
    known = alone > ROUNDING * hessian[6, 6]
    return FocalMisfit(log_factor, float(np.sqrt(max(equations.scale, 1.0) / alone)) if known else np.inf)


class _NormalEquations(NamedTuple):
    """Hessian (P, P) with the weights as they are, what their change takes from it (P, P), gradient (P,), and the mean
    weighted squared residual a degree of freedom; six parameters are the pose, a seventh the focal length."""

    hessian: np.ndarray
    by_weights: np.ndarray
    gradient: np.ndarray
    scale: float


def _step(equations: _NormalEquations) -> np.ndarray:
    """Return the step (P,) to where the gradient should be zero: Newton's where that is near and the cost is convex."""
    hessian, by_weights, gradient, _ = equations
    step: np.ndarray = -np.linalg.lstsq(hessian, gradient, rcond=None)[0]
    if abs(step @ gradient) >= NEAR_SIGMAS**2:
        return step
    unit = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    convex = ((1 - CONVEX_SHARE) * hessian - by_weights) / np.outer(unit, unit)
    return -np.linalg.solve(hessian - by_weights, gradient) if np.linalg.eigvalsh(convex)[0] > ROUNDING else step


def _normal_equations(camera: Camera, cam_T_world: np.ndarray, keypoints_px: np.ndarray, points_m: np.ndarray,
                      sigmas_px: np.ndarray, depth: MeasuredDepth | None = None,
                      with_focal: bool = False) -> _NormalEquations:
    """Return the normal equations of all matches.

    Args:
        with_focal: whether the logarithm of the focal length is a seventh parameter.
    """
    x, y, z = se3.transform(cam_T_world, points_m).T
    ahead = np.maximum(z, MIN_DEPTH_M)
    u, v = x / ahead, y / ahead
    by_x, by_y = camera.fx_px / (ahead * sigmas_px), camera.fy_px / (ahead * sigmas_px)
    residuals = np.zeros((3 if depth is not None else 2, len(points_m)))
    residuals[0] = (u * camera.fx_px + camera.cx_px - keypoints_px[:, 0]) / sigmas_px
    residuals[1] = (v * camera.fy_px + camera.cy_px - keypoints_px[:, 1]) / sigmas_px
    # a row j of the derivative by the point, and by the rotation point x j; points last, as numpy adds them fastest
    jacobian = np.zeros((7 if with_focal else 6, *residuals.shape))
    jacobian[[0, 2, 3, 4, 5], 0] = by_x, -by_x * u, -by_x * u * y, by_x * (z + u * x), -by_x * y
    jacobian[[1, 2, 3, 4, 5], 1] = by_y, -by_y * v, -by_y * (z + v * y), by_y * v * x, by_y * x
    if with_focal:
        jacobian[6, 0], jacobian[6, 1] = u * camera.fx_px / sigmas_px, v * camera.fy_px / sigmas_px
    known = np.full(len(points_m), 2)
    if depth is not None:
        certainty = (depth.depths_m > 0) / depth.sigmas_m
        residuals[2] = (z - depth.depths_m) * certainty
        jacobian[2:5, 2] = certainty, certainty * y, -certainty * x
        known = 2 + (depth.depths_m > 0)
    weights = 1.0 / (1.0 + (residuals**2).sum(axis=0))
    size = len(jacobian)
    weighted, gradients = (jacobian * weights).reshape(size, -1), (jacobian * residuals).sum(axis=1) * weights
    scale = float((weights * residuals**2).sum() / max((known * weights).sum(), 1e-9))
    return _NormalEquations(weighted @ jacobian.reshape(size, -1).T, 2 * gradients @ gradients.T, gradients.sum(axis=1),
                            scale)


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
