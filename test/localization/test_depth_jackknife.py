"""Errors that the matches at one distance share, in the covariance of a pose."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.config import MapCodeConfig
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project, refined_pose
from cl_localization.localization.covariance_calibration import depth_jackknife
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode, NewCodes
from core_makers import CAMERA, unit_vectors

NEAR_M, FARTHER_M, SHIFT_M = 3.0, (5.0, 60.0), 0.1


def found_with(near_shift_m: float, count: int = 200) -> tuple[MapCode, np.ndarray, Localization, np.ndarray]:
    """Return a map of near codes and of farther ones, keypoints of a camera at its origin, the pose found when all near
    codes are mistaken for ones to their right, and the covariance by the scatter of matches."""
    random = np.random.default_rng(1)
    near = np.arange(count) < count // 4
    depth_m = np.where(near, NEAR_M * random.uniform(0.8, 1.2, count), random.uniform(*FARTHER_M, count))
    points_m = np.column_stack([random.uniform(-0.4, 0.4, (count, 2)) * depth_m[:, None], depth_m])
    keypoints_px = project(CAMERA, np.eye(4), points_m)[0] + random.normal(scale=0.4, size=(count, 2))
    points_m[near, 0] += near_shift_m
    map_code = MapCode(MapCodeConfig(), "scene", 64)
    map_code.scene_number("street")
    new = NewCodes(unit_vectors(random, count, 64), points_m.astype(np.float32), np.full(count, 1e-3, np.float32))
    rows = map_code.insert(new, map_code.add_keyframe(np.eye(4), 1, 0))
    cam_T_world, covariance = refined_pose(CAMERA, np.eye(4), keypoints_px, points_m, np.full(count, 0.5))
    found = Localization(world_T_cam=se3.inverse(cam_T_world), covariance=covariance, inliers=count,
                         inlier_features=np.arange(count), inlier_codes=rows, inlier_points_m=points_m)
    return map_code, keypoints_px, found, covariance


@pytest.mark.parametrize(("near_shift_m", "is_small"), [(0.0, True), (SHIFT_M, False)])
def test_what_is_near_and_what_is_far_at_odds_make_a_pose_uncertain(near_shift_m: float, is_small: bool) -> None:
    map_code, keypoints_px, found, formal = found_with(near_shift_m)
    shared = depth_jackknife(map_code, keypoints_px, CAMERA, found)
    sigma_m, formal_m = se3.largest_sigma(shared[:3, :3]), se3.largest_sigma(formal[:3, :3])
    error_m = float(np.linalg.norm(found.world_T_cam[:3, 3]))
    assert (sigma_m < 5 * formal_m) == is_small
    assert error_m < 3 * max(sigma_m, formal_m)


def test_few_matches_tell_nothing() -> None:
    map_code, keypoints_px, found, _ = found_with(0.0, count=30)
    assert not depth_jackknife(map_code, keypoints_px, CAMERA, found).any()
