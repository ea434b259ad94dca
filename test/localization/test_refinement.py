"""Matching again near a pose: what counts as an inlier, and who may be matched."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig, PoseConfig
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.localization.refinement import pixels_in, refined_in_map
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, PointScene, look_at

SCENE = PointScene.room(400)
POSE = look_at((0.4, 0.1, 0.0), (0.0, 0.0, 3.8))


@pytest.fixture(scope="module")
def map_code() -> MapCode:
    """The room, seen first from the origin."""
    made = MapCode(MapCodeConfig(), "scene", 64)
    frame = made.add_keyframe(np.eye(4), 0, made.scene_number("room"))
    made.insert(NewCodes(SCENE.descriptors, SCENE.points_m.astype(np.float32), np.full(400, 0.005, np.float32)), frame)
    return made


def refined(map_code: MapCode, features: Features, **options: float) -> Localization | None:
    return refined_in_map(map_code, features, features.keypoints_px, CAMERA, se3.inverse(POSE),
                          PoseConfig().inlier_threshold_px, 0, **options)


def test_a_pose_is_found_again_with_its_inliers(map_code):
    found = refined(map_code, SCENE.features(POSE, noise_px=0.3, similarity=0.95))
    assert se3.pose_error(found.world_T_cam, POSE)[0] < 0.01
    assert len(found.inlier_features) == len(found.inlier_codes) == len(found.inlier_points_m) == found.inliers > 100
    pixels = CAMERA.project(se3.transform(se3.inverse(found.world_T_cam), found.inlier_points_m))
    errors_px = np.linalg.norm(pixels - SCENE.features(POSE, noise_px=0.3,
                                                       similarity=0.95).keypoints_px[found.inlier_features], axis=1)
    assert errors_px.max() < pixels_in(CAMERA, PoseConfig().inlier_threshold_px)
    assert found.reprojection_error_px == pytest.approx(np.median(errors_px), rel=1e-3)
    assert np.linalg.eigvalsh(found.covariance).min() > 0


def test_too_few_matches_give_nothing(map_code):
    assert refined(map_code, SCENE.features(POSE).select(slice(5))) is None


def test_codes_first_seen_from_nearly_the_same_direction_can_be_left_out(map_code):
    features = SCENE.features(POSE, noise_px=0.3, similarity=0.95)
    found, all_of_them = refined(map_code, features, min_view_angle_deg=6.0), refined(map_code, features)
    then, now = found.inlier_points_m, found.inlier_points_m - POSE[:3, 3]
    angle_deg = np.rad2deg(np.arccos((then * now).sum(axis=1) / np.linalg.norm(then, axis=1)
                                     / np.linalg.norm(now, axis=1)))
    assert 10 < found.inliers < all_of_them.inliers
    assert angle_deg.min() > 5.5


def test_lengths_in_pixels_follow_the_size_of_the_image():
    assert pixels_in(CAMERA, 12.0) == pytest.approx(6.0)
