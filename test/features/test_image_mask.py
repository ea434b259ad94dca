"""Masks drawn by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.features.image_mask import ImageMask

KEYPOINTS_PX = np.array([[10.0, 10.0], [10.0, 230.0], [319.9, 239.9], [160.0, 119.0]], np.float32)


def lower_half_dark(width_px: int, height_px: int) -> np.ndarray:
    mask = np.full((height_px, width_px), 255, np.uint8)
    mask[height_px // 2:] = 0
    return mask


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (32, 24)])
def test_what_is_dark_is_hidden_in_images_of_any_size(size):
    mask = ImageMask(lower_half_dark(*size), "mask")
    assert mask.hides(KEYPOINTS_PX, 320, 240).tolist() == [False, True, True, False]


def test_a_mask_is_read_from_a_file(tmp_path: Path):
    cv2.imwrite(str(tmp_path / "mask.png"), lower_half_dark(320, 240))
    assert ImageMask.from_file(str(tmp_path / "mask.png")).hides(KEYPOINTS_PX, 320, 240).sum() == 2


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(DataError, match="mask must have the shape of the images, 320x240, found 640x360; draw it"):
        ImageMask(lower_half_dark(640, 360), "mask").hides(KEYPOINTS_PX, 320, 240)


def test_a_missing_mask_is_named():
    with pytest.raises(DataError, match=r"nowhere\.png"):
        ImageMask.from_file("nowhere.png")
