"""3D points from posed views: two-ray triangulation, and refinement over any number of views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3

MIN_DEPTH = 1e-6
MIN_BASELINE = 1e-12

CONVERGED = 0.02

UPPER = np.triu_indices(3)
SYMMETRIC = np.array([0, 1, 2, 1, 3, 4, 2, 4, 5])
"""Places of the entries of a symmetric (3, 3) matrix among those of its upper half."""


@dataclass(frozen=True, eq=False)
class Observations:
    """Observations of points, sorted by point.

    Attributes:
        point: (O,) int64 index of the point seen, ascending.
        rays_cam: (O, 2) normalized image coordinates x/z, y/z.
        cam_T_world: (O, 4, 4) pose of the camera that saw it.
        focal_px: (O,) focal length, to speak of errors in pixels.
    """

    point: np.ndarray
    rays_cam: np.ndarray
    cam_T_world: np.ndarray
    focal_px: np.ndarray

    @property
    def centres_m(self) -> np.ndarray:
        """Camera centres (O, 3)."""
        return se3.inverse(self.cam_T_world)[:, :3, 3]

    def of_points(self, chosen: np.ndarray) -> Observations:
        """Return the observations of some points (P,) bool, which are numbered anew."""
        kept = chosen[self.point]
        number = np.cumsum(chosen) - 1
        return Observations(number[self.point[kept]], self.rays_cam[kept], self.cam_T_world[kept], self.focal_px[kept])

    def sums(self, values: np.ndarray, points: int) -> np.ndarray:
        """Return the sum (points, ...) of per-observation values (O, ...) over the observations of each point."""
        total = np.zeros((points, *values.shape[1:]))
        if len(self.point):
            starts = np.flatnonzero(np.r_[True, np.diff(self.point) != 0])
            total[self.point[starts]] = np.add.reduceat(values, starts, axis=0)
        return total


def ray_midpoints(world_T_a: np.ndarray, rays_a: np.ndarray, world_T_b: np.ndarray,
                  rays_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (..., N, 3) nearest to both rays of each pair, and the parallax (..., N) in degrees.

    Args:
        world_T_a, world_T_b: (..., 4, 4) camera poses.
        rays_a, rays_b: (..., N, 2) normalized image coordinates. Parallel rays give points far away with parallax 0.
    """
    direction_a, direction_b = _directions(world_T_a, rays_a), _directions(world_T_b, rays_b)
    origin_a, origin_b = world_T_a[..., None, :3, 3], world_T_b[..., None, :3, 3]
    cosine = np.clip((direction_a * direction_b).sum(axis=-1), -1, 1)
    along_a, along_b = ((direction * (origin_b - origin_a)).sum(axis=-1) for direction in (direction_a, direction_b))
    sine2 = np.maximum(1 - cosine**2, 1e-12)
    range_a, range_b = (along_a - cosine * along_b) / sine2, (cosine * along_a - along_b) / sine2
    points = 0.5 * (origin_a + range_a[..., None] * direction_a + origin_b + range_b[..., None] * direction_b)
    return points, np.rad2deg(np.arccos(cosine))


def _directions(world_T_cam: np.ndarray, rays_cam: np.ndarray) -> np.ndarray:
    directions = homogeneous(rays_cam) @ np.swapaxes(world_T_cam[..., :3, :3], -1, -2)
    return directions / np.linalg.norm(directions, axis=-1, keepdims=True)


def homogeneous(rays_cam: np.ndarray) -> np.ndarray:
    """Return normalized image coordinates (..., N, 2) as points (..., N, 3) at depth 1."""
    return np.concatenate([rays_cam, np.ones_like(rays_cam[..., :1])], axis=-1)


def epipolar_distances(world_T_a: np.ndarray, rays_a: np.ndarray, world_T_b: np.ndarray,
                       rays_b: np.ndarray) -> np.ndarray:
    """Return the distance (N,), in normalized image b, of each ray of b from the epipolar line of its ray of a."""
    b_T_a = se3.inverse(world_T_b) @ world_T_a
    essential = se3.skew(b_T_a[:3, 3]) @ b_T_a[:3, :3]
    lines = homogeneous(rays_a) @ essential.T
    lines /= np.maximum(np.linalg.norm(lines[:, :2], axis=1, keepdims=True), 1e-12)
    return np.abs((lines * homogeneous(rays_b)).sum(axis=1))


def epipolar_angles(world_T_a: np.ndarray, rays_a: np.ndarray, world_T_b: np.ndarray,
                    rays_b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the angle about the baseline, (N,) and (M,) in radians, of the epipolar plane of each ray, and the
    distance (M,) from the baseline at which each ray of b has depth 1. Rays that meet have the same angle.

    Without a baseline all angles and distances are 0.
    """
    baseline_m = world_T_b[:3, 3] - world_T_a[:3, 3]
    across = np.linalg.svd(baseline_m[None])[2][1:] * (np.linalg.norm(baseline_m) > MIN_BASELINE)
    (u_a, v_a), (u_b, v_b) = ((homogeneous(rays) @ (across @ world_T_cam[:3, :3]).T).T
                              for world_T_cam, rays in ((world_T_a, rays_a), (world_T_b, rays_b)))
    return np.arctan2(v_a, u_a), np.arctan2(v_b, u_b), np.hypot(u_b, v_b)


def reprojection_errors(points_m: np.ndarray, seen: Observations) -> np.ndarray:
    """Return the errors (O,) in pixels of points (P, 3) in the views that saw them; infinite behind a camera."""
    points_cam = _in_camera(points_m, seen)
    depth = points_cam[:, 2]
    errors = np.linalg.norm(points_cam[:, :2] / np.maximum(depth, MIN_DEPTH)[:, None] - seen.rays_cam,
                            axis=1) * seen.focal_px
    return np.where(depth > MIN_DEPTH, errors, np.inf)


def refined_points(
    points_m: np.ndarray, seen: Observations, sigma_px: float, iterations: int = 6
) -> tuple[np.ndarray, np.ndarray]:
    """Return points (P, 3) of least robust reprojection error over all their views, and their sigmas (P,) in metres.

    Gauss-Newton for all points at once, Cauchy weights at the scale `sigma_px`, damped so that points seen under little
    parallax stay where they are along the ray. Points that moved by less than `CONVERGED` of their sigmas move no more.
    A sigma is that of the least certain direction, which is along the ray.
    """
    points_m, sigmas_m = points_m.astype(np.float64).copy(), np.zeros(len(points_m))
    moving = np.arange(len(points_m))
    for iteration in range(iterations + 1):
        hessian, gradient = _normal_equations(points_m[moving], seen, sigma_px)
        inverse = _inverse(hessian)
        sigmas_m[moving] = np.sqrt(np.trace(inverse, axis1=1, axis2=2) / 3)
        if iteration == iterations:
            break
        steps_m = (inverse @ gradient[:, :, None])[:, :, 0]
        points_m[moving] -= steps_m
        far = np.linalg.norm(steps_m, axis=1) > CONVERGED * sigmas_m[moving]
        if not far.any():
            break
        moving, seen = moving[far], seen.of_points(far)
    return points_m, sigmas_m


def _in_camera(points_m: np.ndarray, seen: Observations) -> np.ndarray:
    return (seen.cam_T_world[:, :3, :3] @ points_m[seen.point][:, :, None])[:, :, 0] + seen.cam_T_world[:, :3, 3]


def _normal_equations(points_m: np.ndarray, seen: Observations, sigma_px: float) -> tuple[np.ndarray, np.ndarray]:
    points_cam = _in_camera(points_m, seen)
    depth = np.maximum(points_cam[:, 2], MIN_DEPTH)
    normalized = points_cam[:, :2] / depth[:, None]
    scale = seen.focal_px / sigma_px
    residuals = (normalized - seen.rays_cam) * scale[:, None]
    root_weights = 1.0 / np.sqrt(1.0 + (residuals**2).sum(axis=1))
    residuals *= root_weights[:, None]
    rotation = seen.cam_T_world[:, :3, :3]
    jacobian = rotation[:, :2] - normalized[:, :, None] * rotation[:, 2:]
    jacobian *= (root_weights * scale / depth)[:, None, None]
    first, second = jacobian[:, 0], jacobian[:, 1]
    products = first[:, UPPER[0]] * first[:, UPPER[1]] + second[:, UPPER[0]] * second[:, UPPER[1]]
    gradient = first * residuals[:, :1] + second * residuals[:, 1:]
    sums = seen.sums(np.concatenate([products, gradient], axis=1), len(points_m))
    hessian = sums[:, SYMMETRIC].reshape(-1, 3, 3)
    damping = 1e-6 * np.trace(hessian, axis1=1, axis2=2) + 1e-12
    return hessian + damping[:, None, None] * np.eye(3), sums[:, 6:]


def _inverse(symmetric: np.ndarray) -> np.ndarray:
    """Return the inverses of symmetric positive matrices (P, 3, 3), by their cofactors: many small ones are slow
    otherwise, and so are cross products along an axis of three."""
    a, b, c, d, e, f = symmetric.reshape(-1, 9)[:, [0, 1, 2, 4, 5, 8]].T
    cofactors = np.stack([d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b])
    determinant = a * cofactors[0] + b * cofactors[1] + c * cofactors[2]
    return (cofactors / determinant)[SYMMETRIC].T.reshape(-1, 3, 3)


def parallax_deg(points_m: np.ndarray, seen: Observations) -> np.ndarray:
    """Return for each point (P,) the largest angle between its first ray and any other, in degrees."""
    rays = points_m[seen.point] - seen.centres_m
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    largest = np.zeros(len(points_m))
    if len(seen.point):
        starts = np.flatnonzero(np.r_[True, np.diff(seen.point) != 0])
        first = np.repeat(starts, np.diff(np.r_[starts, len(seen.point)]))
        angle = np.rad2deg(np.arccos(np.clip((rays * rays[first]).sum(axis=1), -1, 1)))
        largest[seen.point[starts]] = np.maximum.reduceat(angle, starts)
    return largest
