"""The attention fallback: which images are tried again, when its pose is taken, and for which maps there is one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from attention_makers import asked, map_of
from cl_localization.config import AttentionFallbackConfig, LocalizerConfig, PoseConfig
from cl_localization.errors import EncoderError, MapError
from cl_localization.features import Features
from cl_localization.geometry.camera import Camera
from cl_localization.localization.hierarchical_search import AttentionFallback, make_attention_fallback
from cl_localization.localization.result import Localization
from cl_localization.map.code_index import CodeIndex
from core_makers import PointScene, motion
from test_localizer import map_of as map_of_scene

CAMERA = Camera(320, 240, 250.0, 250.0, 160.0, 120.0)
NOTHING = Features(np.zeros((0, 2), np.float32), np.zeros((0, 64), np.float32), np.zeros(0, np.float32))


def pose_of(support: float = 10.0, moved_m: float = 0.0, turned_rad: float = 0.0, sigma_m: float = 0.01,
            accepted: bool = False) -> Localization:
    world_T_cam = motion(np.array([0.0, turned_rad, 0.0]), np.array([moved_m, 0.0, 0.0]))
    return Localization(accepted=accepted, world_T_cam=world_T_cam, covariance=sigma_m**2 * np.eye(6), inliers=40,
                        inlier_points_m=np.tile([0.0, 0.0, 10.0], (40, 1)), matches=100,
                        inlier_ratio=float(np.sqrt(support / 100)))


class Told:
    """An estimator that finds what it was told."""

    def __init__(self, pose: Localization, config: PoseConfig) -> None:
        self.pose, self.config = pose, config

    def estimate(self, features: Features, camera: Camera) -> Localization:
        return self.pose


CONFIG = AttentionFallbackConfig(min_support=3.0, agreement_share=0.01, agreement_deg=3.0, uncertain_above=0.03)
POSE = PoseConfig(min_support=25.0)
FALLBACK = AttentionFallback(Told(pose_of(sigma_m=1.0), POSE), LocalizerConfig(attention_fallback=CONFIG, pose=POSE))


@pytest.mark.parametrize("first, expected", [(pose_of(2.9), False), (pose_of(3.1), True),
                                               (Localization(matches=500), False)])
def test_an_image_whose_pose_has_next_to_no_support_is_not_tried_again(first, expected):
    assert FALLBACK.should_try(first) == expected


@pytest.mark.parametrize("sigma_m, expected", [(0.29, False), (0.31, True)])
def test_an_accepted_pose_is_tried_again_when_it_is_uncertain_for_the_distance_of_what_it_sees(sigma_m, expected):
    assert FALLBACK.should_try(pose_of(50.0, sigma_m=sigma_m, accepted=True)) == expected


@pytest.mark.parametrize("moved_m, sigma_m, taken", [(0.25, 0.05, True), (0.35, 0.05, False), (0.25, 0.11, False)])
def test_a_pose_with_all_its_support_gives_way_to_a_more_certain_one_within_what_it_may_be_wrong_by(
    moved_m, sigma_m, taken
):
    first = pose_of(30.0, sigma_m=0.1)
    assert FALLBACK.confirms(pose_of(50.0, moved_m, sigma_m=sigma_m), first) is taken
    assert not FALLBACK.confirms(pose_of(50.0, moved_m, sigma_m=sigma_m), pose_of(20.0, sigma_m=0.1))


@pytest.mark.parametrize("turned_rad, taken", [(0.25, True), (0.35, False)])
def test_a_pose_gives_way_to_a_more_certain_one_turned_by_no_more_than_it_may_be_wrong_by(turned_rad, taken):
    first = pose_of(30.0, sigma_m=0.1)  # and 0.1 rad
    assert FALLBACK.confirms(pose_of(50.0, turned_rad=turned_rad, sigma_m=0.05), first) is taken


def test_a_pose_of_which_nothing_is_known_to_be_certain_gives_way():
    unknown = replace(pose_of(100.0), covariance=np.full((6, 6), np.inf))
    assert FALLBACK.confirms(pose_of(50.0, 0.5), unknown)


def test_a_pose_by_attention_is_stated_less_certain_than_its_matches_are():
    found = FALLBACK.estimate(NOTHING, CAMERA)
    np.testing.assert_allclose(found.covariance, 2.0 * np.eye(6))
    np.testing.assert_array_equal(found.world_T_cam, np.eye(4))


@pytest.mark.parametrize("moved_m, turned_rad, agree", [(0.0, 0.0, True), (0.09, 0.04, True), (0.12, 0.0, False),
                                                        (0.0, 0.06, False)])
def test_both_regressors_must_find_the_same_pose(moved_m, turned_rad, agree):
    assert FALLBACK.confirms(pose_of(50.0, moved_m, turned_rad), pose_of()) is agree


def test_maps_of_the_encoder_of_the_packaged_weights_have_a_fallback_unless_one_regressor_is_asked_for():
    map_code = map_of_scene(PointScene.room(20), "xfeat")
    kinds = {name: make_attention_fallback(map_code, LocalizerConfig(regressor=name), CodeIndex(map_code))
             for name in ("nearest", "attention", "nearest_then_attention")}
    assert (
        kinds["nearest"] is None
        and kinds["attention"] is None
        and isinstance(kinds["nearest_then_attention"], AttentionFallback)
    )
    assert LocalizerConfig().regressor == "nearest_then_attention"


def test_a_map_that_no_packaged_weights_fit_does_without():
    map_code = map_of(*asked()[:2])
    assert make_attention_fallback(map_code, LocalizerConfig(), CodeIndex(map_code)) is None


def test_weights_that_are_named_must_be_there_and_fit_the_map(tmp_path):
    from cl_localization.localization.attention.regressor import PACKAGED

    map_code = map_of(*asked()[:2])
    with pytest.raises(MapError, match="must be trained on features of scene"):
        make_attention_fallback(map_code, LocalizerConfig(regressor_weights=str(PACKAGED)), CodeIndex(map_code))
    with pytest.raises(EncoderError, match="must be a file"):
        make_attention_fallback(map_code, LocalizerConfig(regressor_weights=str(tmp_path / "none")),
                                CodeIndex(map_code))
