"""Poses checked by looking: in a box with coloured walls that a field has learned, and on pictures made up."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl_localization.config import PoseConfig, RenderCheckConfig
from cl_localization.errors import ConfigError, GeometryError
from cl_localization.localization.result import Localization
from cl_localization.nerf.live import LiveField, LiveRender
from cl_localization.nerf.render_check import (
    MIN_SURFACE_PATCHES,
    RenderCheck,
    RenderEvidence,
    decided,
    depth_agreement,
    patch_correlations,
)
from live_makers import room_field, room_frames

POSE = PoseConfig()
CONFIG = RenderCheckConfig(patch_px=8, min_patches=4, width_px=48)


def textured(seed: int) -> np.ndarray:
    """Return a picture (40, 60, 3) of coarse noise."""
    return np.kron(np.random.default_rng(seed).integers(40, 200, (10, 15, 3)), np.ones((4, 4, 1))).astype(np.uint8)


def shown(image: np.ndarray, opacity: float | np.ndarray = 1.0) -> LiveRender:
    """Return a rendered view that shows a picture."""
    return LiveRender(image, np.ones(image.shape[:2], np.float32),
                      np.broadcast_to(np.float32(opacity), image.shape[:2]))


def found(support: float, inliers: int = 100, pose: np.ndarray | None = None, sigma_m: float = 0.01) -> Localization:
    """Return a localization as the localizer judges it by support and inliers."""
    accepted = support >= POSE.min_support and inliers >= POSE.min_inliers and sigma_m <= POSE.max_position_sigma_share
    matches = 400
    world_T_cam = np.eye(4) if pose is None else pose
    one_metre_away = np.tile(world_T_cam[:3, 3] + [0.0, 0.0, 1.0], (inliers, 1))
    return Localization(1, accepted, "ok" if accepted else "refused", world_T_cam, sigma_m**2 * np.eye(6), 500,
                        matches, inliers, math.sqrt(support / matches), inlier_points_m=one_metre_away)


@pytest.fixture(scope="module")
def field() -> LiveField:
    """The box, learned from eight frames."""
    return room_field()


def test_a_picture_agrees_with_itself_in_any_light_and_not_with_another() -> None:
    picture = textured(0)
    darker = (20 + 0.5 * picture.astype(float)).astype(np.uint8)
    assert patch_correlations(darker, shown(picture), 10).min() > 0.99
    assert abs(patch_correlations(textured(1), shown(picture), 10).mean()) < 0.3
    assert len(patch_correlations(picture, shown(picture), 10)) == 24


def test_patches_that_are_unknown_or_plain_are_not_compared() -> None:
    picture, plain = textured(0), np.full((40, 60, 3), 90, np.uint8)
    half = np.where(np.arange(60) < 30, 1.0, 0.0) * np.ones((40, 1))
    assert len(patch_correlations(picture, shown(picture, half), 10)) == 12
    assert len(patch_correlations(picture, shown(picture, 0.0), 10)) == 0
    assert len(patch_correlations(plain, shown(plain), 10)) == 0
    assert np.abs(patch_correlations(picture, shown(plain), 10)).max() < 0.05


def test_what_is_unknown_within_a_patch_does_not_change_its_correlation() -> None:
    picture, spoiled = textured(0), textured(0)
    spoiled[:3] = 255
    opacity = np.ones((40, 60))
    opacity[:3] = 0
    assert patch_correlations(picture, shown(spoiled, opacity), 10)[:6].mean() > 0.5


def test_depth_agrees_where_both_are_known_and_alike() -> None:
    measured = np.array([[1.0, 2.0], [0.0, 4.0]], np.float32)
    assert depth_agreement(measured, np.array([[1.04, 2.5], [3.0, 4.3]], np.float32)) == pytest.approx(2 / 3)
    assert math.isnan(depth_agreement(measured, np.zeros((2, 2), np.float32)))


def test_the_room_looks_right_from_where_it_was_seen_and_wrong_from_elsewhere(field) -> None:
    check, frames = RenderCheck(field, CONFIG), room_frames(side_px=64)
    right = check.evidence(frames[0], frames[0].world_T_cam)
    wrong = check.evidence(frames[0], frames[5].world_T_cam)
    assert right.correlation > 0.8 > 0.5 > wrong.correlation
    assert right.depth_agreement > 0.9 and right.patches >= CONFIG.min_patches


def test_a_pose_that_matches_speak_for_is_refused_when_it_looks_wrong(field) -> None:
    frames = room_frames(side_px=64)
    wrong = found(60.0, pose=frames[5].world_T_cam)
    judged = RenderCheck(field, CONFIG).judge(frames[0], wrong, POSE)
    assert wrong.accepted and not judged.accepted
    assert "correlation with the rendered view" in judged.reason and "needed" in judged.reason


def test_a_pose_that_lacks_a_little_support_is_accepted_when_it_looks_right(field) -> None:
    frames = room_frames(side_px=64)
    check = RenderCheck(field, CONFIG)
    judged = check.judge(frames[0], found(15.0, pose=frames[0].world_T_cam), POSE)
    assert judged.accepted and judged.reason == "ok"
    assert not check.judge(frames[0], found(15.0, pose=frames[5].world_T_cam), POSE).accepted


def test_nothing_is_rendered_for_a_pose_that_no_look_could_save(field, monkeypatch) -> None:
    frame = room_frames(side_px=64)[2]
    check = RenderCheck(field, CONFIG)
    monkeypatch.setattr(check, "evidence", lambda *_: pytest.fail("it looked"))
    for lost in (found(5.0), found(60.0, inliers=10), found(60.0, sigma_m=1.0), Localization(1)):
        assert check.judge(frame, lost, POSE) is lost


def test_a_field_that_knows_nothing_of_a_place_changes_nothing() -> None:
    frame = room_frames(side_px=64)[0]
    for one in (found(60.0, pose=frame.world_T_cam), found(15.0, pose=frame.world_T_cam)):
        assert RenderCheck(LiveField(), CONFIG).judge(frame, one, POSE) is one


def test_a_pose_that_is_none_is_refused(field) -> None:
    with pytest.raises(GeometryError, match="pose"):
        RenderCheck(field, CONFIG).evidence(room_frames(side_px=64)[0], np.zeros((4, 4)))


def test_a_correlation_beyond_one_is_refused_as_an_option() -> None:
    with pytest.raises(ConfigError, match="accept_above"):
        RenderCheckConfig(accept_above=1.5)


def test_what_hides_a_wall_is_no_reason_to_refuse_but_the_same_surface_must_look_the_same(field) -> None:
    frame, check = room_frames(side_px=64)[0], RenderCheck(field, CONFIG)
    hidden = np.zeros((64, 64), bool)
    hidden[:, 20:] = True
    box = replace(frame, image=np.where(hidden[..., None], np.uint8(90), frame.image),
                  depth_m=np.where(hidden, np.float32(0.2), frame.depth_m))
    evidence = check.evidence(box, frame.world_T_cam)
    assert evidence.surface_correlation > 0.9 > evidence.depth_agreement and evidence.surface_patches >= 6
    painted = replace(frame, image=np.ascontiguousarray(255 - frame.image))
    assert check.evidence(painted, frame.world_T_cam).surface_correlation < 0.6
    assert math.isnan(check.evidence(replace(frame, depth_m=None), frame.world_T_cam).surface_correlation)


@pytest.mark.parametrize(("correlation", "depth", "surface", "patches", "accepted"), [
    (0.7, math.nan, math.nan, 0, True), (0.6, math.nan, math.nan, 0, False), (0.3, 0.9, 0.8, 20, True),
    (0.3, 0.6, 0.8, 20, False), (0.9, 0.9, 0.65, 20, False), (0.7, 0.1, 0.2, 5, True)])
def test_a_pose_that_lacks_support_is_accepted_by_the_surfaces_that_agree_or_else_by_the_image(
    correlation, depth, surface, patches, accepted
) -> None:
    evidence = RenderEvidence(correlation, 40, depth, surface, patches)
    assert decided(found(15.0), evidence, RenderCheckConfig(), POSE).accepted is accepted


def test_a_pose_refused_for_something_else_than_support_is_not_accepted() -> None:
    ambiguous = replace(found(60.0), accepted=False, reason="another pose is as likely")
    assert not decided(ambiguous, RenderEvidence(0.9, 40, 0.9, 0.9, 40), RenderCheckConfig(), POSE).accepted


@given(st.floats(0, 200), st.integers(0, 200), st.floats(-1, 1), st.integers(0, 50), st.floats(0, 1), st.floats(-1, 1),
       st.integers(0, 50))
def test_a_look_only_refuses_what_looks_wrong_and_only_accepts_what_looks_right(
    support, inliers, correlation, patches, depth, surface, surface_patches
) -> None:
    config, before = RenderCheckConfig(), found(support, inliers)
    after = decided(before, RenderEvidence(correlation, patches, depth, surface, surface_patches), config, POSE)
    if after.accepted != before.accepted:
        by_surface = surface_patches >= MIN_SURFACE_PATCHES
        assert by_surface or patches >= config.min_patches
        looks = surface - config.reject_surface_below if by_surface else correlation - config.reject_below
        assert looks >= 0 if after.accepted else looks < 0
        assert inliers >= POSE.min_inliers and before.support >= config.least_support - 1e-6
    assert replace(after, accepted=before.accepted, reason=before.reason).inliers == before.inliers
