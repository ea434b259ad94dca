"""Covariances that fit the errors: poses given with errors that all codes of a keyframe share, known because we made
them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from cl_localization.config import MapCodeConfig, PoseConfig
from cl_localization.evaluation.summary import POSE, POSITION, ROTATION, inside_95_percent
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.localization.covariance_calibration import (
    ALL_MEASURED,
    EVERY,
    NEAREST,
    PRIOR,
    UNKNOWN,
    calibrated,
    factor_of_keyframe,
    variance_factor,
    variance_factor_of,
    widened,
)
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localization.regressor import NearestRegressor
from cl_localization.localization.result import Localization
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at, motion

SCENE = PointScene.room(900)
NOISE = {"noise_px": 0.7, "similarity": 0.95}
SIGMA_M, SIGMA_RAD = 0.02, np.deg2rad(0.6)


def wrongly_given(world_T_cam: np.ndarray, random: np.random.Generator, scale: float) -> np.ndarray:
    """Return a pose as a source gives it that errs by a few centimetres and some tenths of a degree."""
    given = motion(random.normal(scale=scale * SIGMA_RAD, size=3), np.zeros(3)) @ world_T_cam
    given[:3, 3] = world_T_cam[:3, 3] + random.normal(scale=scale * SIGMA_M, size=3)
    return given


class World:
    """A map of keyframes whose given poses err, each code where its keyframe's given pose puts it."""

    def __init__(self, scale: float, keyframes: int = 30, seed: int = 0) -> None:
        self.random, self.scale = np.random.default_rng(seed), scale
        self.map_code = MapCode(MapCodeConfig(), "scene", 64)
        self.scene = self.map_code.scene_number("room")
        free = np.ones(len(SCENE.points_m), bool)
        for number in range(keyframes):
            true_pose, features = self.look(number)
            given = wrongly_given(true_pose, self.random, scale)
            factor = variance_factor(self.map_code, View.of(-1, given, CAMERA, features, self.scene))
            keyframe = self.map_code.add_keyframe(given, 10**9 * number, self.scene, factor)
            seen = SCENE.visible(true_pose)[0]
            new = self.random.permutation(seen[free[seen]])[:25]
            free[new] = False
            points_m = se3.transform(given @ se3.inverse(true_pose), SCENE.points_m[new])
            sigmas_m = np.full(len(new), 0.005, np.float32)
            self.map_code.insert(NewCodes(SCENE.descriptors[new], points_m.astype(np.float32), sigmas_m), keyframe)

    def look(self, seed: int) -> tuple[np.ndarray, Features]:
        """Return a camera's true pose and what it sees."""
        eye_m = self.random.uniform([-1.0, -0.4, -0.5], [1.0, 0.4, 0.5])
        pose = look_at(tuple(eye_m), (0.3 * eye_m[0], 0.0, 3.8))
        return pose, SCENE.features(pose, seed=seed, **NOISE)

    def queries(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return errors (N, 6) against poses that the same source gives, and covariances (N, 6, 6)."""
        estimator, errors, covariances = PoseEstimator(self.map_code, NearestRegressor(self.map_code),
                                                       PoseConfig()), [], []
        for number in range(count):
            true_pose, features = self.look(1000 + number)
            found = estimator.estimate(features, CAMERA)
            errors.append(se3.difference(found.world_T_cam,
                                         wrongly_given(true_pose, self.random, self.scale)))
            covariances.append(found.covariance)
        return np.array(errors), np.array(covariances)


@pytest.fixture(scope="module")
def erring() -> World:
    """Poses given with errors of 2 cm and 0.6 degrees in each axis."""
    return World(1.0)


def test_errors_shared_by_the_codes_of_a_keyframe_are_inside_the_stated_ellipsoids(erring):
    errors, covariances = erring.queries(80)
    assert [inside_95_percent(errors, covariances, part) for part in (POSE, POSITION, ROTATION)] == pytest.approx(
        [95] * 3, abs=7
    )
    stated = np.median(np.sqrt(np.trace(covariances[:, :3, :3], axis1=1, axis2=2)))
    assert 0.5 < stated / np.sqrt((errors[:, :3] ** 2).sum(axis=1).mean()) < 4.0


def test_the_scatter_of_the_matches_alone_would_be_far_too_sure(erring):
    errors, covariances = erring.queries(40)
    factor = variance_factor_of(erring.map_code, erring.scene, np.eye(4))
    assert inside_95_percent(errors, covariances / factor) < 40


def test_exact_poses_leave_small_ellipsoids():
    world = World(0.0)
    assert variance_factor_of(world.map_code, world.scene, np.eye(4)) < 5
    errors, covariances = world.queries(40)
    assert inside_95_percent(errors, covariances) >= 90
    assert np.median(np.sqrt(np.trace(covariances[:, :3, :3], axis1=1, axis2=2))) < 0.03


def test_a_view_of_what_the_map_does_not_know_has_no_factor():
    empty = MapCode(MapCodeConfig(), "scene", 64)
    view = View.of(-1, np.eye(4), CAMERA, SCENE.features(np.eye(4)), empty.scene_number("room"))
    assert variance_factor(empty, view) == UNKNOWN


def test_codes_seen_from_nearly_the_same_direction_can_be_left_out(erring):
    pose, features = erring.look(0)
    view = View.of(-1, pose, CAMERA, features, erring.scene)
    assert variance_factor(erring.map_code, view) > UNKNOWN
    assert variance_factor(erring.map_code, view, min_view_angle_deg=60.0) == UNKNOWN


def test_without_depth_one_keyframe_of_some_is_measured_once_many_are():
    world = World(1.0, keyframes=ALL_MEASURED)
    pose, features = world.look(0)
    view = View.of(-1, pose, CAMERA, features, world.scene)
    known = []
    for _ in range(2 * EVERY):
        known.append(factor_of_keyframe(world.map_code, view, has_depth=False) > UNKNOWN)
        assert factor_of_keyframe(world.map_code, view, has_depth=True) > UNKNOWN
        world.map_code.add_keyframe(pose, 0, world.scene)
    assert known[0] and 2 <= sum(known) <= 3


def with_factors(factors: list[float], scene: str = "room", x_m: float = 0.0) -> MapCode:
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    map_code.scene_number("room")
    for factor in factors:
        map_code.add_keyframe(motion(np.zeros(3), np.array([x_m, 0, 0])), 0, map_code.scene_number(scene), factor)
    return map_code


def expected(quantile: float) -> float:
    return 6 * quantile / chi2.ppf(0.95, 6)


@pytest.mark.parametrize("map_code", [with_factors([]), with_factors([UNKNOWN] * 3),
                                      with_factors([7.0] * 9, "other room")],
                         ids=["no keyframes", "none judged", "another scene"])
def test_a_scene_without_judged_keyframes_has_a_cautious_factor(map_code):
    assert variance_factor_of(map_code, 0, np.eye(4)) == pytest.approx(expected(PRIOR))


def test_a_plainly_wrong_keyframe_among_the_nearest_makes_cautious():
    assert variance_factor_of(with_factors([4.0] * 20), 0, np.eye(4)) == pytest.approx(expected(4.0))
    assert variance_factor_of(with_factors([4.0] * 19 + [1e6]), 0, np.eye(4)) == pytest.approx(expected(PRIOR))


@pytest.mark.parametrize(("x_m", "turned_deg"), [(50.0, 0.0), (0.5, 120.0)])
def test_keyframes_elsewhere_do_not_count(x_m, turned_deg):
    map_code = with_factors([50.0] * NEAREST, x_m=1.0)
    elsewhere = motion(np.array([0, np.deg2rad(turned_deg), 0]), np.array([x_m, 0, 0]))
    for _ in range(3 * NEAREST):
        map_code.add_keyframe(elsewhere, 0, 0, 3.0)
    assert variance_factor_of(map_code, 0, np.eye(4)) == pytest.approx(expected(50.0))
    assert variance_factor_of(map_code, 0, elsewhere) == pytest.approx(expected(3.0))


def test_a_factor_is_never_below_one():
    assert variance_factor_of(with_factors([0.01] * 100), 0, np.eye(4)) == 1.0


def test_a_covariance_holds_another_estimate_that_differs_by_more_than_chance():
    found = Localization(world_T_cam=np.eye(4), covariance=0.01**2 * np.eye(6))
    near, far = (motion(np.zeros(3), np.array([x_m, 0, 0])) for x_m in (0.05, 0.08))
    assert widened(found, near, 1.0) is found
    wide = widened(found, far, 1.0)
    np.testing.assert_allclose(np.sqrt(np.diag(wide.covariance)), [np.hypot(0.01, 0.08), *[0.01] * 5])


@pytest.mark.parametrize("covariance", [None, np.full((6, 6), np.inf)])
def test_an_unknown_covariance_is_not_widened(covariance):
    found = Localization(world_T_cam=np.eye(4), covariance=covariance)
    assert widened(found, motion(np.zeros(3), np.ones(3)), 1.0) is found


def test_a_calibrated_covariance_keeps_its_blocks_and_stays_positive():
    half = np.random.default_rng(0).normal(size=(6, 6))
    covariance = half @ half.T
    stated = calibrated(covariance, 9.0)
    np.testing.assert_allclose(stated[:3, :3], 9 * covariance[:3, :3])
    np.testing.assert_allclose(stated[3:, 3:], 9 * covariance[3:, 3:])
    assert np.linalg.eigvalsh(stated).min() > 0
    np.testing.assert_array_equal(stated, stated.T)
