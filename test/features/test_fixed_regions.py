"""What is fixed to the camera, learned from features that stay in place while the camera turns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.features import Features
from cl_localization.features.frame_encoder import FixedRegions
from core_makers import CAMERA, PointScene, motion, noisy, unit_vectors

RANDOM = np.random.default_rng(3)
AROUND = PointScene(RANDOM.normal(size=(6000, 3)), unit_vectors(RANDOM, 6000, 64))
"""Points on all sides, 2 to 4 m away."""

AROUND.points_m *= RANDOM.uniform(2, 4, (6000, 1)) / np.linalg.norm(AROUND.points_m, axis=1, keepdims=True)

BODY_PX = RANDOM.uniform([0, 180], [320, 240], (250, 2)).astype(np.float32)
BODY = unit_vectors(RANDOM, 250, 64)


def seen(world_T_cam: np.ndarray, has_body: bool = True) -> Features:
    """Return the features of the scene, of which the body hides the lower quarter of the image."""
    scene = AROUND.features(world_T_cam, similarity=0.95, noise_px=0.3, seed=1)
    if not has_body:
        return scene
    scene = scene.select(scene.keypoints_px[:, 1] < 180)
    descriptors = noisy(np.random.default_rng(len(scene)), BODY, 0.95)
    return Features(np.concatenate([scene.keypoints_px, BODY_PX]), np.concatenate([scene.descriptors, descriptors]),
                    np.ones(len(scene) + len(BODY), np.float32))


def turned(step: int, step_deg: float = 12.0) -> np.ndarray:
    """Return the pose (4, 4) of a camera that turns on the spot."""
    return motion(np.deg2rad([0.0, step * step_deg, 0.0]), np.zeros(3))


def shares_hidden(regions: FixedRegions, camera=CAMERA) -> tuple[float, float]:
    """Return the share of body and of scene that is hidden."""
    scene_px = seen(np.eye(4)).keypoints_px[:-len(BODY)]
    return regions.hides(BODY_PX, camera).mean(), regions.hides(scene_px, camera).mean()


def learned(poses: list[np.ndarray], has_body: bool = True, regions: FixedRegions | None = None,
            told: list[np.ndarray] | None = None, depths_m: float | None = None) -> FixedRegions:
    """Return what is learned from images at poses, of which the robot tells others where `told` is given."""
    regions = regions or FixedRegions()
    for number, (pose, said) in enumerate(zip(poses, told or poses)):
        features = seen(pose, has_body)
        depths = None if depths_m is None else np.full(len(features), depths_m, np.float32)
        regions.observe(features, CAMERA, said, "map", 10**9 * number, depths)
    return regions


def test_what_stays_while_the_camera_turns_is_fixed():
    body, scene = shares_hidden(learned([turned(step) for step in range(5)]))
    assert body > 0.95
    assert scene < 0.03


def test_nothing_is_fixed_where_nothing_stays():
    assert shares_hidden(learned([turned(step) for step in range(12)], has_body=False)) == (0, 0)


def test_nothing_is_known_of_a_camera_that_stands_or_turns_a_little():
    assert shares_hidden(learned([turned(step, 0.5) for step in range(8)])) == (0, 0)


def test_three_pairs_of_images_are_needed():
    assert shares_hidden(learned([turned(step) for step in range(3)])) == (0, 0)
    assert shares_hidden(learned([turned(step) for step in range(4)]))[0] > 0.9


def test_a_turn_that_did_not_take_place_hides_nothing():
    """Wheels slip, or a pose is wrong, while the camera stands."""
    assert shares_hidden(learned([np.eye(4)] * 6, told=[turned(step) for step in range(6)])) == (0, 0)


@pytest.mark.parametrize(("depths_m", "is_found"), [(None, False), (0.5, True)])
def test_motion_without_turns_tells_only_where_depth_is_known(depths_m, is_found):
    """What is far stays in place, too, when a camera drives straight ahead."""
    ahead = [motion(np.zeros(3), np.array([0.3 * step, 0.0, 0.0])) for step in range(5)]
    assert (shares_hidden(learned(ahead, depths_m=depths_m))[0] > 0.9) == is_found


def test_a_region_is_free_again_when_the_body_has_gone():
    regions = learned([turned(step) for step in range(6)])
    learned([turned(step) for step in range(6, 60)], has_body=False, regions=regions)
    assert shares_hidden(regions)[0] < 0.1


def test_poses_in_different_frames_are_not_compared():
    regions = FixedRegions()
    for step in range(8):
        regions.observe(seen(turned(step)), CAMERA, turned(step), f"scene {step}", step)
    assert shares_hidden(regions) == (0, 0)


def test_another_camera_has_regions_of_its_own():
    regions = learned([turned(step) for step in range(5)])
    other = replace(CAMERA, fx_px=300.0)
    assert shares_hidden(regions, other) == (0, 0)
    regions.observe(seen(turned(5)), other, turned(5), "map", 5 * 10**9)
    assert shares_hidden(regions) == (0, 0)


def test_a_region_that_became_fixed_later_does_not_hide_what_was_seen_before():
    regions = learned([turned(step) for step in range(8)], has_body=False)
    for step in range(8, 14):
        regions.observe(seen(turned(step)), CAMERA, turned(step), "map", 10**9 * step)
    assert regions.hides(BODY_PX, CAMERA, since_ns=13 * 10**9).mean() > 0.9
    assert regions.hides(BODY_PX, CAMERA, since_ns=5 * 10**9).mean() == 0


def test_what_was_learned_can_be_forgotten_and_learned_again():
    regions = learned([turned(step) for step in range(5)])
    regions.forget()
    assert shares_hidden(regions) == (0, 0)
    assert shares_hidden(learned([turned(step) for step in range(5)], regions=regions))[0] > 0.95


def test_images_without_features_are_borne():
    regions = FixedRegions()
    nothing = seen(np.eye(4)).select(slice(0))
    for step in range(4):
        assert not regions.observe(nothing, CAMERA, turned(step), "map", step)
    assert regions.hides(nothing.keypoints_px, CAMERA).shape == (0,)
