"""Points from rays: two views, many views, and the measures that say whether to believe them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.geometry import se3, triangulation
from cl_localization.geometry.triangulation import (
    Observations,
    epipolar_angles,
    epipolar_distances,
    parallax_deg,
    ray_midpoints,
    refined_points,
    reprojection_errors,
)
from core_makers import coordinates, look_at

FOCAL_PX = 500.0
CENTRE = (0.0, 0.0, 5.0)
VIEWS = [look_at((x, y, 0.0), CENTRE) for x, y in [(-1.0, 0.1), (-0.4, -0.3), (0.2, 0.3), (0.9, 0.0)]]
points = st.lists(coordinates(0.8), min_size=1, max_size=8).map(lambda found: np.array(found) + CENTRE)


def rays(world_T_cam: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Return normalized image coordinates (N, 2) of points."""
    points_cam = se3.transform(se3.inverse(world_T_cam), points_m)
    return points_cam[:, :2] / points_cam[:, 2:]


def observations(points_m: np.ndarray, views: list[np.ndarray], noise_px: float = 0.0, seed: int = 0) -> Observations:
    """Every point seen in every view, sorted by point."""
    random = np.random.default_rng(seed)
    of_point = np.repeat(np.arange(len(points_m)), len(views))
    seen = np.stack([rays(view, points_m) for view in views], axis=1).reshape(-1, 2)
    seen = seen + random.normal(scale=noise_px / FOCAL_PX, size=seen.shape) if noise_px else seen
    poses = np.tile(se3.inverse(np.array(views)), (len(points_m), 1, 1))
    return Observations(of_point, seen, poses, np.full(len(of_point), FOCAL_PX))


@given(points)
def test_two_exact_rays_meet_in_the_point(points_m):
    a, b = VIEWS[0], VIEWS[3]
    found_m, angle_deg = ray_midpoints(a, rays(a, points_m), b, rays(b, points_m))
    np.testing.assert_allclose(found_m, points_m, atol=1e-6)
    to_a, to_b = a[:3, 3] - points_m, b[:3, 3] - points_m
    cosine = (to_a * to_b).sum(axis=1) / np.linalg.norm(to_a, axis=1) / np.linalg.norm(to_b, axis=1)
    np.testing.assert_allclose(angle_deg, np.rad2deg(np.arccos(cosine)), atol=1e-4)


def test_skew_rays_give_the_middle_between_them():
    a, b = np.eye(4), np.eye(4)
    b[0, 3] = 2.0
    found_m, _ = ray_midpoints(a, np.array([[0.5, 0.01]]), b, np.array([[-0.5, -0.01]]))
    np.testing.assert_allclose(found_m, [[1.0, 0.0, 2.0]], atol=1e-3)


def test_parallel_rays_have_no_parallax_and_finite_points():
    a, b = np.eye(4), np.eye(4)
    b[0, 3] = 1.0
    found_m, angle_deg = ray_midpoints(a, np.zeros((3, 2)), b, np.zeros((3, 2)))
    assert np.isfinite(found_m).all()
    np.testing.assert_allclose(angle_deg, 0, atol=1e-6)


def test_no_rays_give_no_points():
    found_m, angle_deg = ray_midpoints(VIEWS[0], np.zeros((0, 2)), VIEWS[1], np.zeros((0, 2)))
    assert (found_m.shape, angle_deg.shape) == ((0, 3), (0,))


@given(points)
def test_a_match_lies_on_its_epipolar_line(points_m):
    a, b = VIEWS[0], VIEWS[2]
    distance = epipolar_distances(a, rays(a, points_m), b, rays(b, points_m))
    assert distance.shape == (len(points_m),)
    np.testing.assert_allclose(distance, 0, atol=1e-9)


def test_the_epipolar_distance_is_measured_across_the_line():
    a, b = np.eye(4), np.eye(4)
    b[0, 3] = 1.0
    distance = epipolar_distances(a, np.tile([[0.0, 0.1]], (3, 1)), b,
                                  np.array([[-0.3, 0.1], [-0.7, 0.13], [0.2, 0.0]]))
    np.testing.assert_allclose(distance, [0, 0.03, 0.1], atol=1e-12)


def test_sums_are_by_point_also_where_a_point_is_never_seen():
    of_point = np.array([0, 0, 2, 4, 4, 4])
    seen = Observations(of_point, np.zeros((6, 2)), np.tile(np.eye(4), (6, 1, 1)), np.ones(6))
    assert seen.sums(np.arange(6.0), 6).tolist() == [1, 0, 2, 0, 12, 0]
    assert seen.sums(np.ones((6, 2)), 5).tolist() == [[2, 2], [0, 0], [1, 1], [0, 0], [3, 3]]


def test_sums_of_nothing_are_zero():
    nothing = Observations(np.zeros(0, np.int64), np.zeros((0, 2)), np.zeros((0, 4, 4)), np.zeros(0))
    assert nothing.sums(np.zeros(0), 3).tolist() == [0, 0, 0]
    assert parallax_deg(np.zeros((3, 3)), nothing).tolist() == [0, 0, 0]


def test_camera_centres_are_those_of_the_views():
    seen = observations(np.array([CENTRE]), VIEWS)
    np.testing.assert_allclose(seen.centres_m, [view[:3, 3] for view in VIEWS], atol=1e-12)


@given(points)
def test_exact_points_have_no_reprojection_error(points_m):
    np.testing.assert_allclose(reprojection_errors(points_m, observations(points_m, VIEWS)), 0, atol=1e-8)


def test_a_reprojection_error_is_in_pixels_and_infinite_behind_the_camera():
    seen = Observations(np.array([0, 1]), np.array([[0.01, 0.0], [0.0, 0.0]]), np.tile(np.eye(4), (2, 1, 1)),
                        np.full(2, FOCAL_PX))
    errors_px = reprojection_errors(np.array([[0, 0, 2.0], [0, 0, -2.0]]), seen)
    assert errors_px.tolist() == [pytest.approx(5.0), np.inf]


@given(points, st.integers(0, 1000))
def test_refinement_finds_points_from_near_them(points_m, seed):
    start_m = points_m + np.random.default_rng(seed).uniform(-0.05, 0.05, points_m.shape)
    found_m, _ = refined_points(start_m, observations(points_m, VIEWS), sigma_px=5.0, iterations=12)
    np.testing.assert_allclose(found_m, points_m, atol=1e-3)


def test_refinement_leaves_its_argument_alone():
    points_m = np.array([CENTRE]) + 0.01
    refined_points(points_m, observations(np.array([CENTRE]), VIEWS), 1.0)
    np.testing.assert_array_equal(points_m, np.array([CENTRE]) + 0.01)


def test_refinement_over_all_views_beats_two_and_its_sigma_tells_by_how_much():
    points_m = np.random.default_rng(1).uniform(-0.8, 0.8, (300, 3)) + CENTRE
    seen = observations(points_m, VIEWS, noise_px=0.5)
    a, b = VIEWS[1], VIEWS[2]
    two_m, _ = ray_midpoints(a, seen.rays_cam[1::4], b, seen.rays_cam[2::4])
    found_m, sigmas_m = refined_points(two_m, seen, sigma_px=0.5)
    error_two_m, error_m = (np.linalg.norm(found - points_m, axis=1) for found in (two_m, found_m))
    assert np.median(error_m) < 0.5 * np.median(error_two_m)
    rms_m = np.sqrt((error_m**2).mean() / 3)
    assert 0.6 * rms_m < np.sqrt((sigmas_m**2).mean()) < 2.0 * rms_m


def test_one_wrong_observation_does_not_pull_a_point_away():
    points_m = np.array([CENTRE])
    views = VIEWS + [look_at((0.5, 0.6, 0.0), CENTRE), look_at((-0.6, 0.5, 0.0), CENTRE)]
    seen = observations(points_m, views)
    seen.rays_cam[2] += 30 / FOCAL_PX
    found_m, _ = refined_points(points_m + 0.005, seen, sigma_px=1.0)
    assert np.linalg.norm(found_m - points_m) < 0.002


def test_a_point_seen_once_stays_where_it_was_along_its_ray():
    point_m = np.array([[0.0, 0.0, 3.0]])
    found_m, sigma_m = refined_points(point_m, observations(point_m, [np.eye(4)]), 1.0)
    np.testing.assert_allclose(found_m, point_m, atol=1e-6)
    assert sigma_m[0] > 0.5


@given(points)
def test_parallax_is_the_largest_angle_to_the_first_ray(points_m):
    found_deg = parallax_deg(points_m, observations(points_m, VIEWS))
    to_view = [view[:3, 3] - points_m for view in VIEWS]
    cosine = [(to_view[0] * to).sum(axis=1) / np.linalg.norm(to_view[0], axis=1) / np.linalg.norm(to, axis=1)
              for to in to_view]
    np.testing.assert_allclose(found_deg, np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max(axis=0), atol=1e-6)


@given(points)
def test_rays_that_meet_have_one_epipolar_angle(points_m):
    at_a, at_b, aside = epipolar_angles(VIEWS[0], rays(VIEWS[0], points_m), VIEWS[3], rays(VIEWS[3], points_m))
    np.testing.assert_allclose(np.abs((at_a - at_b + np.pi) % (2 * np.pi) - np.pi), 0, atol=1e-9)
    assert (aside > 0).all()


def test_an_epipolar_angle_changes_no_more_than_the_distance_from_the_line_allows():
    random = np.random.default_rng(0)
    points_m = random.uniform(-0.8, 0.8, (500, 3)) + CENTRE
    ahead = np.eye(4)
    ahead[:3, 3] = 0.02, 0.03, 1.0  # the epipole is in the image
    rays_b = rays(ahead, points_m) + random.normal(scale=0.02, size=(500, 2))
    at_a, at_b, aside = epipolar_angles(np.eye(4), rays(np.eye(4), points_m), ahead, rays_b)
    apart = np.abs((at_a - at_b + np.pi) % (2 * np.pi) - np.pi)
    distance = np.linalg.norm(rays_b - rays(ahead, points_m), axis=1)
    assert (apart <= np.where(aside > distance, np.arcsin(np.minimum(distance / aside, 1)), np.pi) + 1e-9).all()
    assert (aside < 0.1).any()


def test_without_a_baseline_all_epipolar_angles_are_the_same():
    some = rays(np.eye(4), np.array([CENTRE, (1.0, 1.0, 4.0)]))
    assert [np.abs(one).max() for one in epipolar_angles(np.eye(4), some, np.eye(4), some)] == [0, 0, 0]


def test_points_that_have_come_to_rest_are_left_alone(monkeypatch):
    points_m = np.random.default_rng(0).uniform(-0.8, 0.8, (300, 3)) + CENTRE
    seen = observations(points_m, VIEWS, noise_px=1.0)
    soon_m, sigmas_m = refined_points(points_m + 0.02, seen, sigma_px=1.0)
    monkeypatch.setattr(triangulation, "CONVERGED", 0.0)
    late_m, late_sigmas_m = refined_points(points_m + 0.02, seen, sigma_px=1.0)
    assert (np.linalg.norm(soon_m - late_m, axis=1) < 0.1 * late_sigmas_m).all()
    np.testing.assert_allclose(sigmas_m, late_sigmas_m, rtol=0.1)
