"""Optical flow finds points again where they are, through changes of the exposure, and says when it does not."""

from __future__ import annotations

import numpy as np
import pytest

from cl_localization.tracking.flow import CONTRAST, MAX_SIDE_PX, MEAN, FlowImage, follow
from flow_makers import pose, wall_image

POSITIONS_PX = np.random.default_rng(1).uniform([40, 40], [280, 200], (80, 2)).astype(np.float32)
STILL = np.zeros_like(POSITIONS_PX)


def shifted(image: np.ndarray, x_px: int) -> np.ndarray:
    """Return an image whose content has moved to the right."""
    return np.roll(image, x_px, axis=1)


def test_points_are_found_where_they_have_moved():
    image = wall_image(pose())
    for x_px in (0, 3, 15):
        followed, there = follow(FlowImage.of(image), FlowImage.of(shifted(image, x_px)), POSITIONS_PX, STILL)
        assert len(followed) > 0.9 * len(POSITIONS_PX)
        np.testing.assert_allclose(there, POSITIONS_PX[followed] + [x_px, 0], atol=0.1)


def test_a_large_motion_is_found_when_it_is_roughly_known():
    image = wall_image(pose())
    before, after = FlowImage.of(image), FlowImage.of(shifted(image, 90))
    inside = POSITIONS_PX[POSITIONS_PX[:, 0] < 200]
    predicted = np.tile(np.float32([85, 0]), (len(inside), 1))
    followed, there = follow(before, after, inside, predicted)
    assert len(followed) > 0.9 * len(inside)
    np.testing.assert_allclose(there, inside[followed] + [90, 0], atol=0.1)


@pytest.mark.parametrize(("gain", "offset"), [(0.5, 0), (0.7, 60), (1.3, -40)])
def test_flow_survives_a_change_of_the_exposure(gain: float, offset: float):
    image = wall_image(pose())
    other = np.clip(shifted(image, 4) * gain + offset, 0, 255).astype(np.uint8)
    followed, there = follow(FlowImage.of(image), FlowImage.of(other), POSITIONS_PX, STILL)
    assert len(followed) > 0.8 * len(POSITIONS_PX)
    assert np.median(np.abs(there - POSITIONS_PX[followed] - [4, 0])) < 0.1


def test_images_are_brought_to_one_mean_and_contrast():
    gray = FlowImage.of((wall_image(pose()) * 0.4).astype(np.uint8)).gray
    assert gray.mean() == pytest.approx(MEAN, abs=2) and gray.std() == pytest.approx(CONTRAST, rel=0.1)


def test_nothing_is_found_in_another_picture_or_behind_a_covered_lens():
    before = FlowImage.of(wall_image(pose()))
    for other in (wall_image(pose(), seed=5), np.zeros((240, 320, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)):
        followed, _ = follow(before, FlowImage.of(other), POSITIONS_PX, STILL)
        assert len(followed) < 0.1 * len(POSITIONS_PX)


def test_images_of_other_sizes_and_no_points_give_nothing():
    before = FlowImage.of(wall_image(pose()))
    small = FlowImage.of(wall_image(pose())[:120])
    assert [len(part) for part in follow(before, small, POSITIONS_PX, STILL)] == [0, 0]
    assert [len(part) for part in follow(before, before, POSITIONS_PX[:0], STILL[:0])] == [0, 0]


def test_large_images_are_reduced_and_keypoints_stay_those_of_the_image():
    image = FlowImage.of(np.zeros((1081, 1922, 3), np.uint8))
    assert image.gray.shape == (360, MAX_SIDE_PX)
    keypoints_px = np.array([[0.0, 0.0], [1000.3, 20.7], [1922.0, 1081.0]])
    np.testing.assert_allclose(image.to_keypoints(image.from_keypoints(keypoints_px)), keypoints_px, atol=1e-3)
    np.testing.assert_allclose(image.from_keypoints(keypoints_px)[[0, 2]], [[-0.5, -0.5], [639.5, 359.5]], atol=1e-3)
