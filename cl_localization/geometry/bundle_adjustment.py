"""Bundle adjustment: camera poses and points together, with what was known of the poses before.

Poses from odometry, SLAM or a calibration rig are never exact to the pixel; a rotation off by half a degree moves a
point by five pixels and spoils its triangulated depth. Sparse Gauss-Newton with the Schur complement (Triggs et al.,
2000).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.spatial.transform import Rotation

from cl_localization.geometry import se3
from cl_localization.geometry.triangulation import MIN_DEPTH, Observations

DAMPING = 1e-4
CONVERGED = 1e-4
"""Pose steps below this, in radians and units of length, end the iterations."""


@dataclass(frozen=True, eq=False)
class PosePrior:
    """What was known of the poses before.

    Attributes:
        cam_T_world: (K, 4, 4).
        position_sigma_m, rotation_sigma_rad: how well; the same for all.
        fixed: (K,) bool, poses that must not move.
    """

    cam_T_world: np.ndarray
    position_sigma_m: float
    rotation_sigma_rad: float
    fixed: np.ndarray


@dataclass(frozen=True, eq=False)
class MeasuredSteps:
    """What was measured between pairs of poses, as by odometry.

    Attributes:
        first, second: (S,) int64 the poses.
        first_T_second: (S, 4, 4).
        position_sigmas_m, rotation_sigmas_rad: (S,) how well.
    """

    first: np.ndarray
    second: np.ndarray
    first_T_second: np.ndarray
    position_sigmas_m: np.ndarray
    rotation_sigmas_rad: np.ndarray


NO_STEPS = MeasuredSteps(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4, 4)), np.zeros(0), np.zeros(0))


def adjusted(cam_T_world: np.ndarray, points_m: np.ndarray, seen: Observations, view: np.ndarray, prior: PosePrior,
             sigma_px: float, iterations: int = 8, steps: MeasuredSteps = NO_STEPS,
             held: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return poses (K, 4, 4) and points (P, 3) of least robust reprojection error and deviation from the prior.

    Args:
        cam_T_world: (K, 4, 4) where to begin.
        points_m: (P, 3) where to begin.
        seen: the observations; their poses are taken from `cam_T_world` by `view`.
        view: (O,) int64 the pose each observation belongs to.
        sigma_px: scale of the Cauchy weights.
        steps: what else was measured between the poses.
        held: (P,) bool, points that must not move; none by default.
    """
    held = np.zeros(len(points_m), bool) if held is None else held
    for _ in range(iterations):
        current = replace(seen, cam_T_world=cam_T_world[view])
        pose_step, point_step = _step(cam_T_world, points_m, current, view, prior, sigma_px, steps, held)
        cam_T_world = _motions(pose_step) @ cam_T_world
        points_m = points_m + point_step
        if np.abs(pose_step).max() < CONVERGED:
            break
    return cam_T_world, points_m


def _motions(steps: np.ndarray) -> np.ndarray:
    motions = np.tile(np.eye(4), (len(steps), 1, 1))
    motions[:, :3, :3] = Rotation.from_rotvec(steps[:, 3:]).as_matrix()
    motions[:, :3, 3] = steps[:, :3]
    return motions


def _step(cam_T_world: np.ndarray, points_m: np.ndarray, seen: Observations, view: np.ndarray, prior: PosePrior,
          sigma_px: float, steps: MeasuredSteps, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    residuals, of_pose, of_point = _linearized(points_m, seen, sigma_px)
    views, points = len(cam_T_world), len(points_m)
    prior_weight, prior_gradient = _prior_terms(cam_T_world, prior)
    pose_gradient = prior_gradient + _scattered(np.einsum("oki,ok->oi", of_pose, residuals), view, views)
    pose_hessian = (
        _scattered(np.einsum("oki,okj->oij", of_pose, of_pose), view, views) + np.eye(6) * prior_weight[:, None, :]
    )
    point_hessian = seen.sums(np.einsum("oki,okj->oij", of_point, of_point), points)
    point_hessian += (DAMPING * np.trace(point_hessian, axis1=1, axis2=2) + 1e-12)[:, None, None] * np.eye(3)
    point_gradient = seen.sums(np.einsum("oki,ok->oi", of_point, residuals), points)
    inverse = np.where(held[:, None, None], 0.0, np.linalg.inv(point_hessian))
    moving = np.flatnonzero(~prior.fixed)
    coupled = np.flatnonzero(~prior.fixed[view])
    row, point = np.searchsorted(moving, view[coupled]), seen.point[coupled]
    coupling = np.einsum("oki,okj->oij", of_pose[coupled], of_point[coupled])
    mixed = _block_matrix(coupling, row, point, len(moving), points)
    reduced = _block_matrix(coupling @ inverse[point], row, point, len(moving), points)
    schur = -(reduced @ mixed.T).toarray()
    number = np.arange(len(moving))
    schur.reshape(len(moving), 6, len(moving), 6)[number, :, number] += pose_hessian[moving]
    right = pose_gradient[moving].reshape(-1) - reduced @ point_gradient.reshape(-1)
    if len(steps.first):
        off, by_pose = _step_terms(cam_T_world, steps)
        by_moving = by_pose[:, (6 * moving[:, None] + np.arange(6)).ravel()]
        schur += (by_moving.T @ by_moving).toarray()
        right += by_moving.T @ off
    pose_step = np.zeros((views, 6))
    pose_step[moving] = -np.linalg.solve(schur, right).reshape(-1, 6)
    back = point_gradient.reshape(-1) + mixed.T @ pose_step[moving].reshape(-1)
    return pose_step, -np.einsum("pij,pj->pi", inverse, back.reshape(-1, 3))


def _linearized(points_m: np.ndarray, seen: Observations, sigma_px: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weighted residuals (O, 2) and their Jacobians by the pose (O, 2, 6) and by the point (O, 2, 3)."""
    rotation = seen.cam_T_world[:, :3, :3]
    points_cam = np.einsum("oij,oj->oi", rotation, points_m[seen.point]) + seen.cam_T_world[:, :3, 3]
    depth = np.maximum(points_cam[:, 2], MIN_DEPTH)
    normalized = points_cam[:, :2] / depth[:, None]
    scale = seen.focal_px / sigma_px
    residuals = (normalized - seen.rays_cam) * scale[:, None]
    weight = 1.0 / np.sqrt(1.0 + (residuals**2).sum(axis=1))
    weight[points_cam[:, 2] < MIN_DEPTH] = 0
    by_point_cam = np.zeros((len(depth), 2, 3))
    by_point_cam[:, [0, 1], [0, 1]] = (scale / depth)[:, None]
    by_point_cam[:, :, 2] = -(scale / depth)[:, None] * normalized
    by_point_cam *= weight[:, None, None]
    of_pose = np.concatenate([by_point_cam, by_point_cam @ -se3.skew(points_cam)], axis=2)
    return residuals * weight[:, None], of_pose, by_point_cam @ rotation


def _prior_terms(cam_T_world: np.ndarray, prior: PosePrior) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (K, 6) and gradient (K, 6) of the deviation from the prior for a left step (translation,
    rotation).

    A left rotation turns about the camera's centre, so translation and rotation of the step are those of the camera
    itself.
    """
    turned = cam_T_world[:, :3, :3] @ np.swapaxes(prior.cam_T_world[:, :3, :3], 1, 2)
    moved_m = se3.inverse(prior.cam_T_world)[:, :3, 3] - se3.inverse(cam_T_world)[:, :3, 3]
    moved_cam_m = np.einsum("kij,kj->ki", cam_T_world[:, :3, :3], moved_m)
    steps = np.concatenate([moved_cam_m, Rotation.from_matrix(turned).as_rotvec()], axis=1)
    sigma = np.r_[np.full(3, prior.position_sigma_m), np.full(3, prior.rotation_sigma_rad)]
    weight = np.tile(sigma**-2.0, (len(steps), 1))
    weight[prior.fixed] = 1e12
    return weight, np.where(prior.fixed[:, None], 0, weight * steps)


def _step_terms(cam_T_world: np.ndarray, steps: MeasuredSteps) -> tuple[np.ndarray, sparse.csr_matrix]:
    """Return weighted residuals (6 S,) of measured steps and their Jacobian (6 S, 6 K) by left steps of the poses."""
    now = cam_T_world[steps.first] @ se3.inverse(cam_T_world[steps.second])
    off = se3.inverse(steps.first_T_second) @ now
    count, poses = len(off), len(cam_T_world)
    weights = 1 / np.repeat(np.column_stack([steps.position_sigmas_m, steps.rotation_sigmas_rad]), 3, axis=1)
    residuals = np.column_stack([off[:, :3, 3], Rotation.from_matrix(off[:, :3, :3]).as_rotvec().reshape(-1, 3)])
    by_second = np.zeros((count, 6, 6))
    by_second[:, :3, :3], by_second[:, 3:, 3:] = -off[:, :3, :3], -np.eye(3)
    by_second *= weights[:, :, None]
    by_first = -by_second @ _adjoint(se3.inverse(now))
    number = np.arange(count)
    by_pose = (_block_matrix(by_first, number, steps.first, count, poses)
               + _block_matrix(by_second, number, steps.second, count, poses))
    return (residuals * weights).reshape(-1), by_pose.tocsr()


def _adjoint(a_T_b: np.ndarray) -> np.ndarray:
    """Return what takes (S, 6, 6) a small motion in b, translation and rotation, to the same in a."""
    adjoint = np.zeros((len(a_T_b), 6, 6))
    adjoint[:, :3, :3] = adjoint[:, 3:, 3:] = a_T_b[:, :3, :3]
    adjoint[:, :3, 3:] = se3.skew(a_T_b[:, :3, 3]) @ a_T_b[:, :3, :3]
    return adjoint


def _scattered(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the sum (groups, ...) of values (O, ...) of each group."""
    members = sparse.csr_matrix((np.ones(len(group)), (group, np.arange(len(group)))), shape=(groups, len(group)))
    return (members @ values.reshape(len(group), -1)).reshape(groups, *values.shape[1:])


def _block_matrix(blocks: np.ndarray, row: np.ndarray, column: np.ndarray, rows: int,
                  columns: int) -> sparse.bsr_matrix:
    """Return the sparse matrix of (H, W) blocks (O, H, W) at block positions."""
    height, width = blocks.shape[1:]
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(rows + 1))
    return sparse.bsr_matrix((blocks[order], column[order], starts), shape=(height * rows, width * columns))
