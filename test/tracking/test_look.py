"""Flow carries the pose of a localized image to newer ones: right, with a covariance that is right, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.localization.result import Localization
from cl_localization.tracking.flow import FlowImage
from cl_localization.tracking.look import MAX_POINTS, Look
from core_makers import CAMERA, motion
from flow_makers import localized, mahalanobis, pose, wall_frame, wall_image

INSIDE_99_PERCENT = 16.8
"""Of the chi-square distribution with 6 degrees of freedom."""


def carried(look: Look, image: np.ndarray, number: int = 1, predicted: np.ndarray | None = None) -> Localization:
    """Return the pose of an image, which is taken some periods after the look."""
    stamp_ns = look.found.stamp_ns + number * 33_000_000
    return look.carry(FlowImage.of(image), stamp_ns, look.found.world_T_cam if predicted is None else predicted,
                      PoseConfig())


def look_from(world_T_cam: np.ndarray, camera: Camera = CAMERA, **changes: float) -> Look:
    """Return a look at the wall."""
    frame = wall_frame(world_T_cam, camera=camera)
    return Look(frame, localized(frame, **changes))


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.12, 0.12), st.floats(-0.1, 0.1), st.floats(-0.15, 0.15), st.floats(-2, 2), st.floats(-2, 2),
       st.floats(-4, 4))
def test_a_small_motion_is_found_and_stated_as_uncertain_as_it_is(x_m, y_m, z_m, pitch_deg, yaw_deg, roll_deg):
    moved = pose() @ motion(np.deg2rad([pitch_deg, yaw_deg, roll_deg]), np.array([x_m, y_m, z_m]))
    found = carried(look_from(pose()), wall_image(moved))
    assert found.accepted and found.carried_ns == 33_000_000 and found.looked_ns == look_from(pose()).found.stamp_ns
    distance_m, angle_deg = se3.pose_error(found.world_T_cam, moved)
    assert distance_m < 0.02 and angle_deg < 0.3
    assert mahalanobis(found, moved) < INSIDE_99_PERCENT


def test_an_image_without_motion_has_the_pose_of_the_look_whatever_the_errors_of_the_map():
    look = look_from(pose(0.3), map_error_m=0.05)
    found = carried(look, wall_image(pose(0.3)))
    np.testing.assert_allclose(found.world_T_cam, look.found.world_T_cam, atol=1e-4)


def test_a_motion_is_found_between_two_errors_of_the_map():
    found = carried(look_from(pose(), map_error_m=0.03), wall_image(pose(0.1)))
    assert se3.pose_error(found.world_T_cam, pose(0.1))[0] < 0.02


def test_uncertainty_is_that_of_the_look_and_what_flow_adds():
    look = look_from(pose())
    found = carried(look, wall_image(pose(0.05)))
    assert np.linalg.eigvalsh(found.covariance - look.found.covariance).min() > 0


def test_the_evidence_stays_that_of_the_look_and_inliers_are_where_they_are_seen_now():
    look = look_from(pose())
    found = carried(look, wall_image(pose(0.1)))
    assert (found.matches, found.support) == (look.found.matches, look.found.support)
    assert found.inliers == len(found.inlier_codes) == len(found.inlier_points_m) == len(found.inlier_keypoints_px)
    projected_px = CAMERA.project(se3.transform(se3.inverse(pose(0.1)), found.inlier_points_m))
    assert np.median(np.abs(projected_px - found.inlier_keypoints_px)) < 0.3


def test_a_person_who_walks_through_the_image_does_not_take_the_pose_along():
    moved = pose(0.05)
    image, person = wall_image(moved), wall_image(pose())
    image[:, 90:200] = person[:, 80:190]  # a third of the view has gone 10 pixels to the right
    found = carried(look_from(pose()), image)
    assert found.accepted and se3.pose_error(found.world_T_cam, moved)[0] < 0.02
    covered = (found.inlier_keypoints_px[:, 0] > 95) & (found.inlier_keypoints_px[:, 0] < 195)
    assert covered.mean() < 0.05


def test_another_place_and_a_covered_lens_get_no_pose():
    look = look_from(pose())
    for image in (wall_image(pose(), seed=9), np.zeros((240, 320, 3), np.uint8)):
        found = carried(look, image)
        assert not found.accepted and found.world_T_cam is None and found.inliers == 0
        assert found.reason.startswith("flow lost the pose: of 100 points, ")


def test_a_pose_with_too_few_points_left_is_rejected_as_that_of_a_full_localization_is():
    found = carried(look_from(pose()), wall_image(pose(4.0)), predicted=pose(4.0))
    assert not found.accepted and found.reason.endswith("inliers, 30 needed")
    np.testing.assert_allclose(found.world_T_cam, pose(4.0), atol=0.05)


def test_a_large_motion_is_found_when_it_is_roughly_predicted():
    moved = pose(2.0)
    assert not carried(look_from(pose()), wall_image(moved)).accepted
    found = carried(look_from(pose()), wall_image(moved), predicted=pose(1.9))
    assert found.accepted and se3.pose_error(found.world_T_cam, moved)[0] < 0.02


def test_points_behind_the_predicted_camera_do_no_harm():
    found = carried(look_from(pose()), wall_image(pose()), predicted=pose(z_m=100.0))
    assert found.accepted


def test_lens_distortion_and_large_images_are_understood():
    for camera in (Camera(320, 240, 250.0, 252.0, 161.0, 119.0, "plumb_bob", (-0.25, 0.06, 0.0, 0.0, 0.0)),
                   Camera(1280, 960, 1000.0, 1008.0, 644.0, 476.0)):
        found = carried(look_from(pose(), camera), wall_image(pose(0.08), camera))
        assert found.accepted and se3.pose_error(found.world_T_cam, pose(0.08))[0] < 0.02


def test_few_of_many_inliers_are_followed_from_all_over_the_image():
    look = look_from(pose(), count=1000)
    assert look.points == MAX_POINTS
    found = carried(look, wall_image(pose()))
    assert np.ptp(found.inlier_keypoints_px[:, 0]) > 250 and found.inliers <= MAX_POINTS


def test_a_localization_without_inliers_cannot_be_carried():
    frame = wall_frame(pose())
    look = Look(frame, replace(localized(frame, count=0), inliers=0))
    assert not carried(look, frame.image).accepted
