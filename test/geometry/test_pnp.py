"""Camera poses from matches: robust against outliers, refined, and honest about how certain they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.geometry import pnp, se3
from cl_localization.geometry.camera import Camera
from core_makers import motion, motions

CAMERA = Camera(640, 480, 530.0, 520.0, 325.0, 237.0)
THRESHOLD_PX = 8.0


def matches(
    cam_T_world: np.ndarray, count: int = 200, noise_px: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (N, 2) and points (N, 3) spread over the image, 1 to 6 m away."""
    random = np.random.default_rng(seed)
    keypoints_px = random.uniform([0, 0], [640, 480], (count, 2))
    depth_m = random.uniform(1, 6, count)[:, None]
    points_cam = np.column_stack([CAMERA.normalize(keypoints_px), np.ones(count)]) * depth_m
    return keypoints_px + random.normal(scale=noise_px, size=(count, 2)), se3.transform(
        se3.inverse(cam_T_world), points_cam
    )


def error_m_deg(cam_T_world: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    return se3.pose_error(se3.inverse(cam_T_world), se3.inverse(truth))


@settings(max_examples=20)
@given(motions(20), st.floats(0.0, 0.7))
def test_a_robust_pose_withstands_outliers(cam_T_world, outlier_share):
    keypoints_px, points_m = matches(cam_T_world, noise_px=0.5)
    wrong = np.arange(len(points_m)) < outlier_share * len(points_m)
    points_m[wrong] = np.roll(points_m, 77, axis=0)[wrong]
    result = pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 1000, seed=0)
    distance_m, angle_deg = error_m_deg(result.cam_T_world, cam_T_world)
    assert distance_m < 0.03
    assert angle_deg < 0.5
    assert result.inliers[~wrong].mean() > 0.98
    assert result.inliers[wrong].sum() <= 0.05 * max(wrong.sum(), 40)


def test_the_same_seed_gives_the_same_pose():
    keypoints_px, points_m = matches(np.eye(4), noise_px=1.0)
    first, second = (pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 500, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.cam_T_world, second.cam_T_world)


def test_a_pose_to_begin_with_leaves_a_robust_pose_little_to_do():
    keypoints_px, points_m = matches(np.eye(4), noise_px=1.0)
    points_m[:100] = np.roll(points_m, 77, axis=0)[:100]
    whole = pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 1000, seed=0)
    quick = pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 1, 0, whole.cam_T_world)
    np.testing.assert_array_equal(quick.inliers, whole.inliers)
    np.testing.assert_allclose(quick.cam_T_world, whole.cam_T_world, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_fewer_than_four_matches_give_no_pose(count):
    keypoints_px, points_m = matches(np.eye(4), count)
    assert pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 100, seed=0) is None


@pytest.mark.parametrize("seed", range(5))
def test_matches_by_chance_agree_with_few(seed):
    random = np.random.default_rng(seed)
    result = pnp.robust_pose(CAMERA, random.uniform(0, 480, (300, 2)), random.uniform(-3, 3, (300, 3)), THRESHOLD_PX,
                             300, seed)
    assert result is None or result.inliers.sum() < 20


@pytest.mark.parametrize("points_m", [np.zeros((50, 3)), np.ones((50, 3)), np.outer(np.arange(50), [1, 2, 3.0])],
                         ids=["in the origin", "in one place", "on a line"])
def test_points_that_fix_no_pose_do_no_harm(points_m):
    keypoints_px, _ = matches(np.eye(4), 50)
    result = pnp.robust_pose(CAMERA, keypoints_px, points_m, THRESHOLD_PX, 100, seed=0)
    assert result is None or np.isfinite(result.cam_T_world).all()


@given(motions(20))
def test_projecting_is_what_the_camera_does(cam_T_world):
    _, points_m = matches(cam_T_world, 20)
    pixels, depth_m = pnp.project(CAMERA, cam_T_world, points_m)
    points_cam = se3.transform(cam_T_world, points_m)
    np.testing.assert_allclose(pixels, CAMERA.project(points_cam), atol=1e-6)
    np.testing.assert_allclose(depth_m, points_cam[:, 2])


def test_points_behind_the_camera_have_negative_depth_and_infinite_error():
    points_m = np.array([[0, 0, 1.0], [0, 0, -1.0], [0, 0, 0.0]])
    _, depth_m = pnp.project(CAMERA, np.eye(4), points_m)
    errors_px = pnp.reprojection_errors_px(CAMERA, np.eye(4), np.tile([325.0, 240.0], (3, 1)), points_m)
    assert depth_m.tolist() == [1, -1, 0]
    assert errors_px.tolist() == [3.0, np.inf, np.inf]


@settings(max_examples=20)
@given(motions(20), st.integers(0, 1000))
def test_refinement_finds_the_pose_from_near_it(cam_T_world, seed):
    keypoints_px, points_m = matches(cam_T_world)
    random = np.random.default_rng(seed)
    start = motion(random.uniform(-0.03, 0.03, 3), random.uniform(-0.05, 0.05, 3)) @ cam_T_world
    refined, _ = pnp.refined_pose(CAMERA, start, keypoints_px, points_m, np.full(len(points_m), 20.0))
    assert max(error_m_deg(refined, cam_T_world)) < 1e-4


def test_refinement_improves_a_robust_pose_whose_matches_differ_in_quality():
    better = 0
    for seed in range(10):
        keypoints_px, points_m = matches(np.eye(4), noise_px=0.3, seed=seed)
        sigmas_px = np.where(np.arange(200) % 2, 0.3, 4.0)
        keypoints_px += np.random.default_rng(seed).normal(size=(200, 2)) * np.where(sigmas_px > 1, 4.0, 0)[:, None]
        robust = pnp.robust_pose(CAMERA, keypoints_px, points_m, 12.0, 500, seed).cam_T_world
        refined, _ = pnp.refined_pose(CAMERA, robust, keypoints_px, points_m, sigmas_px)
        better += error_m_deg(refined, np.eye(4))[0] < error_m_deg(robust, np.eye(4))[0]
    assert better >= 9


def test_refinement_lets_a_few_gross_errors_be():
    keypoints_px, points_m = matches(np.eye(4), noise_px=0.5)
    keypoints_px[:10] += 40.0
    refined, _ = pnp.refined_pose(CAMERA, np.eye(4), keypoints_px, points_m, np.full(200, 0.5))
    assert error_m_deg(refined, np.eye(4))[0] < 0.005


@given(motions(5), st.integers(0, 1000))
def test_the_gradient_by_the_focal_length_is_that_of_finite_differences(cam_T_world, seed):
    keypoints_px, points_m = matches(cam_T_world, 30, noise_px=2.0, seed=seed)

    def cost(log_factor: float) -> float:
        pixels, _ = pnp.project(CAMERA.with_focal_factor(np.exp(log_factor)), cam_T_world, points_m)
        return 0.5 * np.log1p(((pixels - keypoints_px) ** 2).sum(axis=1) / 4).sum()

    found = pnp._normal_equations(CAMERA, cam_T_world, keypoints_px, points_m, np.full(30, 2.0), with_focal=True)
    assert found.gradient[6] == pytest.approx((cost(1e-6) - cost(-1e-6)) / 2e-6, rel=1e-3, abs=1e-2)


@given(motions(5), st.integers(0, 1000))
def test_gradient_and_curvature_are_those_of_finite_differences(cam_T_world, seed):
    keypoints_px, points_m = matches(cam_T_world, 30, noise_px=2.0, seed=seed)
    sigmas_px = np.random.default_rng(seed).uniform(1, 3, 30)

    def cost(step: np.ndarray) -> float:
        pixels, _ = pnp.project(CAMERA, pnp._exponential(step) @ cam_T_world, points_m)
        return 0.5 * np.log1p((((pixels - keypoints_px) / sigmas_px[:, None]) ** 2).sum(axis=1)).sum()

    hessian, by_weights, gradient, _ = pnp._normal_equations(CAMERA, cam_T_world, keypoints_px, points_m, sigmas_px)
    steps = 1e-6 * np.eye(6)
    numeric = np.array([(cost(step) - cost(-step)) / 2e-6 for step in steps])
    np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3 * np.abs(numeric).max())
    assert np.linalg.eigvalsh(hessian).min() > 0
    ahead, back = (pnp._normal_equations(CAMERA, pnp._exponential(step) @ cam_T_world, keypoints_px, points_m,
                                         sigmas_px).gradient[1] for step in (steps[1], -steps[1]))
    curvature = (ahead - back) / 2e-6  # but for the curvature of the projection, which is small
    assert curvature == pytest.approx((hessian - by_weights)[1, 1], rel=0.1, abs=0.02 * hessian[1, 1])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_the_focal_length_is_fitted_with_the_pose(factor):
    keypoints_px, points_m = matches(np.eye(4), 400, noise_px=1.0)
    wrong = CAMERA.with_focal_factor(factor)
    start, _ = pnp.refined_pose(wrong, np.eye(4), keypoints_px, points_m, np.full(400, 8.0))
    misfit = pnp.focal_misfit(wrong, start, keypoints_px, points_m, np.full(400, 8.0))
    assert misfit.log_factor == pytest.approx(-np.log(factor), abs=0.01) and misfit.sigma < 0.05


def test_what_no_focal_length_contradicts_is_told_by_the_standard_deviation():
    random = np.random.default_rng(0)
    wall_m = np.column_stack([random.uniform(-2, 2, (300, 2)), np.full(300, 4.0)])
    keypoints_px, _ = pnp.project(CAMERA, np.eye(4), wall_m)
    misfit = pnp.focal_misfit(CAMERA, np.eye(4), keypoints_px + random.normal(size=(300, 2)), wall_m, np.ones(300))
    assert misfit.sigma > 0.1


@pytest.mark.parametrize("outliers", [0, 60, 140])
@pytest.mark.parametrize("seed", range(4))
def test_newton_steps_lead_to_the_pose_of_many_small_ones(monkeypatch, seed, outliers):
    truth = motion(np.array([0.4, -0.8, 0.3]), np.array([0.5, -1.0, 2.0]))
    keypoints_px, points_m = matches(truth, 200, noise_px=1.5, seed=seed)
    keypoints_px[:outliers] += np.random.default_rng(seed).normal(scale=12.0, size=(outliers, 2))
    start = pnp._exponential(np.full(6, 0.01)) @ truth
    found, covariance = pnp.refined_pose(CAMERA, start, keypoints_px, points_m, np.full(200, 1.5))
    monkeypatch.setattr(pnp, "NEAR_SIGMAS", 0.0)
    monkeypatch.setattr(pnp, "CONVERGED_SIGMAS", 1e-6)
    slowly, by_small_steps = pnp.refined_pose(CAMERA, start, keypoints_px, points_m, np.full(200, 1.5), 200)
    apart = se3.difference(se3.inverse(found), se3.inverse(slowly))
    assert np.sqrt(apart @ np.linalg.solve(covariance, apart)) < 0.01
    np.testing.assert_allclose(covariance, by_small_steps, rtol=0.01, atol=0.01 * np.abs(by_small_steps).max())


def spread(noise_px: float, sigma_px: float, trials: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Return the sample covariance (6, 6) of refined poses in world axes, and the mean of those they claim."""
    truth = motion(np.array([0.4, -0.8, 0.3]), np.array([0.5, -1.0, 2.0]))
    world_T_cam = se3.inverse(truth)
    errors, claimed = [], []
    for seed in range(trials):
        keypoints_px, points_m = matches(truth, 60, seed=7)
        keypoints_px = keypoints_px + np.random.default_rng(seed).normal(scale=noise_px, size=keypoints_px.shape)
        refined, covariance = pnp.refined_pose(CAMERA, truth, keypoints_px, points_m, np.full(60, sigma_px))
        found = se3.inverse(refined)
        turned = found[:3, :3] @ world_T_cam[:3, :3].T
        errors.append(np.r_[found[:3, 3] - world_T_cam[:3, 3], 0.5 * (turned - turned.T)[[2, 0, 1], [1, 2, 0]]])
        claimed.append(covariance)
    return np.cov(np.array(errors).T), np.mean(claimed, axis=0)


@pytest.mark.parametrize(("noise_px", "sigma_px"), [(1.0, 1.0), (2.0, 1.0), (4.0, 1.0)])
def test_the_covariance_is_that_of_many_tries(noise_px, sigma_px):
    measured, claimed = spread(noise_px, sigma_px)
    ratio = np.sqrt(np.diag(claimed) / np.diag(measured))
    assert (ratio > 0.6).all()
    assert (ratio < 2.0).all()


def test_the_covariance_knows_how_position_and_rotation_go_together():
    measured, claimed = spread(1.0, 1.0)
    correlation = [matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix))) for matrix in (measured, claimed)]
    strong = np.abs(correlation[0]) > 0.5
    assert strong.sum() > 6
    np.testing.assert_allclose(correlation[1][strong], correlation[0][strong], atol=0.25)


def test_noisier_keypoints_make_a_pose_less_certain():
    truth = np.eye(4)
    sigma_m = []
    for noise_px in (0.5, 3.0, 6.0):
        keypoints_px, points_m = matches(truth, noise_px=noise_px)
        _, covariance = pnp.refined_pose(CAMERA, truth, keypoints_px, points_m, np.full(200, 1.0))
        sigma_m.append(np.sqrt(covariance[0, 0]))
    assert sigma_m == sorted(sigma_m)


def test_a_covariance_is_symmetric_and_positive():
    keypoints_px, points_m = matches(np.eye(4), 6, noise_px=1.0)
    _, covariance = pnp.refined_pose(CAMERA, np.eye(4), keypoints_px, points_m, np.full(6, 1.0))
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_points_on_one_line_of_sight_leave_the_pose_finite():
    points_m = np.tile([0.1, 0.1, 2.0], (20, 1))
    keypoints_px, _ = pnp.project(CAMERA, np.eye(4), points_m)
    refined, covariance = pnp.refined_pose(CAMERA, np.eye(4), keypoints_px + 0.5, points_m, np.full(20, 1.0))
    assert np.isfinite(refined).all()
    assert np.isfinite(covariance).all()
