"""Poses and points adjusted together: they come back to the truth, and priors hold them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.geometry import se3
from cl_localization.geometry.bundle_adjustment import MeasuredSteps, PosePrior, adjusted
from cl_localization.geometry.triangulation import Observations, reprojection_errors
from core_makers import PointScene, look_at, motion

FOCAL_PX = 500.0
VIEWS = np.array([look_at((x, y, 0.0), (0.0, 0.0, 4.0)) for x,
                  y in [(-1.2, 0.1), (-0.5, -0.4), (0.1, 0.4), (0.6, -0.2), (1.2, 0.2)]])
CAM_T_WORLD = se3.inverse(VIEWS)
POINTS_M = PointScene.room(60, seed=3).points_m


def observations(noise_px: float = 0.0, wrong: int = 0) -> tuple[Observations, np.ndarray]:
    """Every point in every view, some of them grossly wrong, and the views they were made in."""
    random = np.random.default_rng(0)
    point = np.repeat(np.arange(len(POINTS_M)), len(VIEWS))
    view = np.tile(np.arange(len(VIEWS)), len(POINTS_M))
    points_cam = np.einsum("oij,oj->oi", CAM_T_WORLD[view, :3, :3], POINTS_M[point]) + CAM_T_WORLD[view, :3, 3]
    rays = points_cam[:, :2] / points_cam[:, 2:] + random.normal(scale=noise_px / FOCAL_PX, size=(len(point), 2))
    rays[random.permutation(len(point))[:wrong]] += 0.2
    return Observations(point, rays, CAM_T_WORLD[view], np.full(len(point), FOCAL_PX)), view


def disturbed(seed: int, position_m: float, rotation_deg: float) -> np.ndarray:
    """Return poses cam_T_world that are off by so much, but for the first two."""
    random = np.random.default_rng(seed)
    poses = CAM_T_WORLD.copy()
    for index in range(2, len(poses)):
        poses[index] = motion(np.deg2rad(random.normal(scale=rotation_deg, size=3)),
                              random.normal(scale=position_m, size=3)) @ poses[index]
    return poses


def prior(poses: np.ndarray, position_sigma_m: float = 0.05, rotation_sigma_deg: float = 1.0,
          fixed: int = 2) -> PosePrior:
    return PosePrior(poses, position_sigma_m, np.deg2rad(rotation_sigma_deg), np.arange(len(poses)) < fixed)


def worst_error(poses: np.ndarray) -> tuple[float, float]:
    errors = [se3.pose_error(se3.inverse(found), truth) for found, truth in zip(poses, VIEWS)]
    return max(one for one, _ in errors), max(one for _, one in errors)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_poses_and_points_come_back_to_the_truth(seed):
    seen, view = observations()
    start = disturbed(seed, 0.02, 0.5)
    points_m = POINTS_M + np.random.default_rng(seed).normal(scale=0.03, size=POINTS_M.shape)
    poses, found_m = adjusted(start, points_m, seen, view, prior(start, 1.0, 30.0), sigma_px=1.0, iterations=15)
    distance_m, angle_deg = worst_error(poses)
    assert distance_m < 1e-3
    assert angle_deg < 0.02
    assert np.abs(found_m - POINTS_M).max() < 5e-3


def test_adjusting_improves_poses_from_noisy_observations_with_some_wrong():
    seen, view = observations(noise_px=0.5, wrong=15)
    start = disturbed(1, 0.02, 0.5)
    poses, found_m = adjusted(start, POINTS_M + 0.01, seen, view, prior(start), sigma_px=1.0)
    assert worst_error(poses)[0] < 0.3 * worst_error(start)[0]
    assert worst_error(poses)[1] < 0.3 * worst_error(start)[1]
    errors_px = reprojection_errors(found_m, replace(seen, cam_T_world=poses[view]))
    assert np.median(errors_px) < 0.7


def test_fixed_poses_do_not_move():
    seen, view = observations(noise_px=1.0)
    start = disturbed(2, 0.02, 0.5)
    poses, _ = adjusted(start, POINTS_M, seen, view, prior(start, fixed=4), sigma_px=1.0)
    np.testing.assert_allclose(poses[:4], start[:4], atol=1e-9)
    assert np.abs(poses[4] - start[4]).max() > 1e-4


def test_an_observation_of_a_point_behind_the_camera_has_no_say():
    seen, view = observations(noise_px=1.0)
    behind_m = VIEWS[4][:3, 3] - VIEWS[4][:3, 2]
    more = Observations(np.r_[seen.point, len(POINTS_M)], np.vstack([seen.rays_cam, [0.1, 0.0]]),
                        np.concatenate([seen.cam_T_world, CAM_T_WORLD[4:]]), np.r_[seen.focal_px, FOCAL_PX])
    start = disturbed(2, 0.02, 0.5)
    without, _ = adjusted(start, POINTS_M, seen, view, prior(start), sigma_px=1.0)
    poses, _ = adjusted(start, np.vstack([POINTS_M, behind_m]), more, np.r_[view, 4], prior(start), sigma_px=1.0)
    np.testing.assert_allclose(poses, without, atol=1e-9)


def test_a_certain_prior_holds_its_poses():
    seen, view = observations(noise_px=1.0)
    start = disturbed(2, 0.02, 0.5)
    poses, _ = adjusted(start, POINTS_M, seen, view, prior(start, 1e-6, 1e-5, fixed=0), sigma_px=1.0)
    np.testing.assert_allclose(poses, start, atol=1e-4)


def test_the_truth_stays_where_it_is():
    seen, view = observations()
    poses, found_m = adjusted(CAM_T_WORLD, POINTS_M, seen, view, prior(CAM_T_WORLD, fixed=0), sigma_px=1.0)
    np.testing.assert_allclose(poses, CAM_T_WORLD, atol=1e-9)
    np.testing.assert_allclose(found_m, POINTS_M, atol=1e-9)


def test_the_arguments_are_left_alone():
    seen, view = observations(noise_px=1.0)
    start, points_m = disturbed(2, 0.02, 0.5), POINTS_M + 0.01
    before = start.copy(), points_m.copy()
    adjusted(start, points_m, seen, view, prior(start), sigma_px=1.0)
    np.testing.assert_array_equal(start, before[0])
    np.testing.assert_array_equal(points_m, before[1])


@pytest.mark.parametrize("sigma", [0.02, 0.2])
@pytest.mark.parametrize("turned_rad", [0.0, 2.5])
def test_a_view_without_observations_goes_back_to_its_prior_wherever_it_looks(sigma, turned_rad):
    seen, view = observations()
    kept = view != 4
    few = Observations(seen.point[kept], seen.rays_cam[kept], seen.cam_T_world[kept], seen.focal_px[kept])
    known = CAM_T_WORLD.copy()
    known[4] = motion(np.array([0.0, turned_rad, 0.0]), np.zeros(3)) @ known[4]
    start = known.copy()
    start[4] = motion(np.array([0.01, 0.0, -0.01]), np.array([0.02, 0.0, 0.01])) @ start[4]
    held = PosePrior(known, sigma, sigma, np.zeros(len(VIEWS), bool))
    poses, _ = adjusted(start, POINTS_M, few, view[kept], held, sigma_px=1.0)
    np.testing.assert_allclose(poses[4], known[4], atol=1e-3)


def test_measured_steps_tell_how_large_everything_is():
    seen, view = observations()
    start = CAM_T_WORLD.copy()
    start[:, :3, 3] *= 1.1
    second = np.arange(1, len(start))
    steps = MeasuredSteps(second - 1, second, CAM_T_WORLD[second - 1] @ VIEWS[second], np.full(len(second), 0.005),
                          np.full(len(second), 0.02))
    unknown = prior(start, 1.0, 5.0, fixed=0)
    for known, worst_m in ((steps, 0.01), (replace(steps, position_sigmas_m=np.full(len(second), 100.0)), None)):
        poses, _ = adjusted(start, POINTS_M * 1.1, seen, view, unknown, sigma_px=1.0, iterations=20, steps=known)
        apart_m = np.linalg.norm(se3.inverse(poses)[-1, :3, 3] - se3.inverse(poses)[0, :3, 3])
        off_m = abs(apart_m - np.linalg.norm(VIEWS[-1, :3, 3] - VIEWS[0, :3, 3]))
        assert off_m < worst_m if worst_m else off_m > 0.1
