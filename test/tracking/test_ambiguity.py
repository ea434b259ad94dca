"""Poses that a part of their image disagrees with: odometry says which of two is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.localization.result import Localization
from cl_localization.tracking.gating import AmbiguityGate
from tracking_makers import PERIOD_NS, START_NS, at, found


def looked(number: int, pose: np.ndarray, rivals: int = 0, explained: float | None = None,
           expected: float = 3.0) -> Localization:
    """Return what was found in one of the images, of which the pose explains little where there are rivals."""
    explained = explained or (0.3 if rivals else 0.5)
    return replace(found(pose, START_NS + number * PERIOD_NS), inliers=200, rival_inliers=rivals, explained=explained,
                   expected=expected, scene="room")


class Known(AmbiguityGate):
    """Judges what is known with the rivals that the search would find."""

    def judge(self, found: Localization, odom_T_cam: np.ndarray | None, with_rival=lambda found: found) -> Localization:
        """See `AmbiguityGate`."""
        return super().judge(found, odom_T_cam, with_rival)


@pytest.fixture
def poses() -> AmbiguityGate:
    """What is refused after an unambiguous pose at 0.3 m, where odometry says 0 m."""
    made = Known()
    assert made.judge(looked(0, at(0.3)), at(0)).accepted
    return made


def test_an_ambiguous_pose_is_taken_where_odometry_leads_to_it(poses):
    assert poses.judge(looked(5, at(0.8), rivals=150), at(0.5)).accepted


def test_an_ambiguous_pose_elsewhere_is_refused_and_says_why(poses):
    refused = poses.judge(looked(5, at(2.0), rivals=150), at(0.5))
    assert not refused.accepted
    assert refused.reason == ("200 features agree with the pose, but 150 with another one, and odometry does not tell "
                              "which is right")
    assert refused.world_T_cam is not None


def test_odometry_that_has_jumped_leads_to_no_pose(poses):
    assert not poses.judge(looked(5, at(0.8), rivals=150), at(50.0)).accepted


def test_an_unambiguous_pose_is_taken_anywhere(poses):
    """A robot may be carried."""
    assert poses.judge(looked(5, at(7.0)), at(0.5)).accepted
    assert poses.judge(looked(6, at(7.1), rivals=150), at(0.6)).accepted


def test_a_few_features_that_disagree_make_no_pose_ambiguous(poses):
    assert not poses.judge(looked(5, at(2.0), rivals=20), at(0.5)).accepted
    assert poses.judge(looked(6, at(2.0), rivals=19), at(0.6)).accepted


def test_ambiguous_poses_are_refused_before_any_other():
    assert not Known().judge(looked(0, at(0), rivals=150), at(0)).accepted


def test_a_pose_that_explains_little_vouches_for_none():
    made = Known()
    assert made.judge(looked(0, at(0.3), explained=0.25), at(0)).accepted
    assert not made.judge(looked(1, at(0.3), rivals=150), at(0)).accepted


def test_a_pose_that_odometry_does_not_lead_to_vouches_for_none_unless_it_explains_much(poses):
    assert poses.judge(looked(1, at(3.0), explained=0.45), at(0)).accepted
    assert not poses.judge(looked(2, at(3.0), rivals=150), at(0)).accepted
    assert poses.judge(looked(3, at(3.0), explained=0.5), at(0)).accepted
    assert poses.judge(looked(4, at(3.0), rivals=150), at(0)).accepted


def test_a_pose_that_explains_more_is_ambiguous_for_many_rivals_where_odometry_does_not_lead(poses):
    assert poses.judge(looked(1, at(3.0), rivals=99, explained=0.45), at(0)).accepted
    assert not poses.judge(looked(2, at(3.0), rivals=100, explained=0.45), at(0)).accepted
    assert poses.judge(looked(3, at(0.3), rivals=100, explained=0.45), at(0)).accepted


@pytest.mark.parametrize(("explained", "x_m", "odom_T_cam", "is_searched"), [
    (0.31, 0.3, at(0), True), (0.33, 0.3, at(0), False), (0.49, 3.0, at(0), True), (0.51, 3.0, at(0), False),
    (0.31, 3.0, None, False)])
def test_rivals_are_searched_only_where_they_matter(poses, explained, x_m, odom_T_cam, is_searched):
    searched = []
    poses.judge(looked(1, at(x_m), explained=explained), odom_T_cam, lambda found: searched.append(found) or found)
    assert bool(searched) == is_searched


def test_without_odometry_nothing_is_refused(poses):
    assert poses.judge(looked(5, at(2.0), rivals=150), None).accepted


def test_another_scene_vouches_for_none(poses):
    assert not poses.judge(replace(looked(5, at(0.8), rivals=150), scene="cellar"), at(0.5)).accepted


def test_odometry_that_jumped_tells_nothing(poses):
    assert not poses.judge(looked(5, at(9.0), rivals=150), at(30.0)).accepted


def test_what_was_known_can_be_forgotten(poses):
    poses.forget()
    assert not poses.judge(looked(5, at(0.8), rivals=150), at(0.5)).accepted


def test_a_pose_that_was_refused_before_stays_refused(poses):
    refused = replace(looked(5, at(0.8)), accepted=False, reason="12 inliers, 30 needed")
    assert poses.judge(refused, at(0.5)) is refused


def test_in_a_map_of_few_codes_nothing_is_refused_before_a_pose_was_unambiguous(poses):
    sparse = looked(0, at(0), rivals=100, explained=0.12, expected=0.9)
    assert Known().judge(sparse, at(0)).accepted
    assert not poses.judge(replace(sparse, stamp_ns=START_NS + PERIOD_NS), at(0.1)).accepted
