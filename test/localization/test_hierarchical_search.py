"""The order in which a pose is searched: which try is taken, and what it cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.hierarchical_search import PoseSearch
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localization.regressor import NearestRegressor
from cl_localization.localization.result import Localization
from core_makers import CAMERA, PointScene, motion
from test_localizer import map_of

SCENE = PointScene.room(60)
NOWHERE = np.zeros(0, np.int64)
NO_POSE = Localization(matches=400, timings_s={"search": 1.0}, reason="no pose agrees with the matches")


def pose_of(support: float, moved_m: float = 0.0, sigma_m: float = 1e-3) -> Localization:
    """A pose of 100 matches, with 40 inliers two metres away, accepted or not by its support."""
    few, points_m = np.arange(40), np.tile([0.0, 0.0, 2.0], (40, 1))
    world_T_cam = motion(np.zeros(3), np.array([moved_m, 0.0, 0.0]))
    found = Localization(
        world_T_cam=world_T_cam, covariance=sigma_m**2 * np.eye(6), inliers=40, inlier_features=few, inlier_codes=few,
        inlier_points_m=points_m, matches=100, inlier_ratio=float(np.sqrt(support / 100)), reprojection_error_px=1.0,
        timings_s={"search": 1.0, "solve": 2.0})
    return accept_or_reject(found, PoseConfig())


def found_with(monkeypatch, first: Localization, second: Localization, **options) -> tuple[Localization, list[str]]:
    """Return what is found when the nearest code finds the first pose and attention the second, and who was asked."""
    asked: list[str] = []

    def estimate(self: PoseEstimator, *given: object) -> Localization:
        nearest = isinstance(self._regressor, NearestRegressor)
        asked.append("nearest" if nearest else "attention")
        return first if nearest else second

    monkeypatch.setattr(PoseEstimator, "estimate", estimate)
    search = PoseSearch(map_of(SCENE, "xfeat"), LocalizerConfig(**options))
    return search.find(SCENE.features(np.eye(4)), CAMERA, NOWHERE), asked


def test_a_pose_that_is_accepted_and_certain_is_not_tried_again(monkeypatch):
    found, asked = found_with(monkeypatch, pose_of(26.0), pose_of(90.0))
    assert found.support == pytest.approx(26.0) and asked == ["nearest"]


MORE_CERTAIN, LESS_CERTAIN = pose_of(90.0, moved_m=0.1, sigma_m=0.04), pose_of(90.0, sigma_m=0.1)


@pytest.mark.parametrize("second, taken", [(MORE_CERTAIN, True), (LESS_CERTAIN, False)])
def test_of_an_uncertain_pose_and_that_of_attention_the_more_certain_one_is_taken(monkeypatch, second, taken):
    found, asked = found_with(monkeypatch, pose_of(26.0, sigma_m=0.08), second)
    assert asked == ["nearest", "attention"] and (found.support == pytest.approx(90.0)) is taken


def test_a_pose_with_some_support_is_taken_when_attention_confirms_it(monkeypatch):
    found, asked = found_with(monkeypatch, pose_of(8.0), pose_of(60.0, moved_m=0.05))
    assert asked == ["nearest", "attention"] and found.support == pytest.approx(60.0)
    assert found.accepted and found.world_T_cam[0, 3] == 0.05
    assert found.timings_s == {"search": 2.0, "solve": 4.0}


@pytest.mark.parametrize("second", [pose_of(90.0, moved_m=0.5), pose_of(20.0), NO_POSE])
def test_a_pose_that_attention_finds_elsewhere_or_with_too_little_support_changes_nothing(monkeypatch, second):
    found, asked = found_with(monkeypatch, pose_of(8.0), second)
    assert asked == ["nearest", "attention"] and found.support == pytest.approx(8.0)
    assert found.reason == "support 8.0, 25.0 needed"
    assert found.timings_s["search"] == 2.0


def test_what_is_far_does_not_excuse_attention_for_a_pose_elsewhere(monkeypatch):
    city_m = np.concatenate([np.tile([0.0, 0.0, 2.0], (4, 1)), np.tile([0.0, 0.0, 100.0], (36, 1))])
    first = accept_or_reject(replace(pose_of(8.0), inlier_points_m=city_m), PoseConfig())
    found, asked = found_with(monkeypatch, first, pose_of(60.0, moved_m=0.5))
    assert asked == ["nearest", "attention"] and not found.accepted


@pytest.mark.parametrize("first", [pose_of(1.0), NO_POSE])
def test_an_image_with_next_to_no_support_is_given_up_at_once(monkeypatch, first):
    found, asked = found_with(monkeypatch, first, pose_of(90.0))
    assert asked == ["nearest"] and found.support == first.support


@pytest.mark.parametrize("regressor", ["nearest", "attention"])
def test_a_regressor_that_is_asked_for_by_name_looks_alone(monkeypatch, regressor):
    _, asked = found_with(monkeypatch, pose_of(8.0), pose_of(8.0), regressor=regressor)
    assert asked == [regressor]


def search_told(monkeypatch: pytest.MonkeyPatch, *looks: Localization, **options: str) -> PoseSearch:
    """Return a search that finds some poses, one after the other, in a map of two places."""
    left = iter(looks)
    monkeypatch.setattr(PoseEstimator, "estimate", lambda estimator, *given: next(left))
    two_places = map_of(SCENE, "xfeat")
    two_places.add_keyframe(motion(np.zeros(3), np.array([50.0, 0.0, 0.0])), 1, 0)
    return PoseSearch(two_places, LocalizerConfig(**{"regressor": "nearest"} | options))


def found_in_two_tries(monkeypatch: pytest.MonkeyPatch, *looks: Localization) -> Localization:
    """Return what is found when what is around the first keyframe gives one pose, and the whole map another."""
    return search_told(monkeypatch, *looks).find(SCENE.features(np.eye(4)), CAMERA, np.array([0]))


@pytest.mark.parametrize(("near", "everywhere", "taken"), [
    pytest.param(pose_of(26.0), pose_of(39.0, sigma_m=1.0), 26.0, id="only the first may be used"),
    pytest.param(pose_of(39.0, sigma_m=1.0), pose_of(26.0), 26.0, id="only the second may be used"),
    pytest.param(pose_of(121.0, sigma_m=1.0), pose_of(26.0), 26.0, id="the first has support but is uncertain"),
    pytest.param(pose_of(26.0), pose_of(29.0), 29.0, id="both may be used"),
    pytest.param(pose_of(9.0), pose_of(7.0), 9.0, id="neither may be used"),
    pytest.param(NO_POSE, pose_of(7.0), 7.0, id="only one is a pose")])
def test_of_two_tries_the_best_accepted_pose_is_taken(monkeypatch, near, everywhere, taken):
    found = found_in_two_tries(monkeypatch, near, everywhere)
    assert found.support == pytest.approx(taken)
    assert found.timings_s["search"] == 2.0


@pytest.mark.parametrize("second", [pytest.param(pose_of(25.5, sigma_m=0.01), id="accepted"),
                                    pytest.param(pose_of(39.0, sigma_m=1.0), id="too uncertain to be accepted")])
def test_a_supported_pose_elsewhere_makes_the_accepted_one_less_certain(monkeypatch, second):
    found = found_in_two_tries(monkeypatch, second, pose_of(29.0, moved_m=0.18, sigma_m=0.01))
    assert found.accepted and found.world_T_cam[0, 3] == 0.18
    assert np.sqrt(found.covariance[0, 0]) == pytest.approx(np.hypot(0.01, 0.18), rel=0.01)


def test_a_pose_elsewhere_without_the_support_for_one_makes_no_other_less_certain(monkeypatch):
    found = found_in_two_tries(monkeypatch, pose_of(9.0, moved_m=0.18), pose_of(29.0))
    assert found.accepted and np.allclose(found.covariance, pose_of(29.0).covariance)


def test_of_two_supported_poses_far_apart_none_is_accepted(monkeypatch):
    assert not found_in_two_tries(monkeypatch, pose_of(26.0, moved_m=3.0), pose_of(29.0)).accepted


def test_other_options_of_poses_are_used_by_every_try(monkeypatch):
    search = search_told(monkeypatch, regressor="nearest_then_attention")
    used: list[PoseConfig] = []

    def estimate(self: PoseEstimator, *given: object) -> Localization:
        used.append(self.config)
        return pose_of(8.0)

    monkeypatch.setattr(PoseEstimator, "estimate", estimate)
    other = PoseConfig(max_iterations=77)
    search.use(other)
    search.find(SCENE.features(np.eye(4)), CAMERA, np.array([0]))
    assert used == [other] * 3
