"""From a frame to the features of the scene in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from cl_localization.config import MaskConfig
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.features import Features
from cl_localization.features.frame_encoder import FrameEncoder, ImageMask
from core_makers import CAMERA


class BrightestEncoder:
    """Finds the brightest pixel, and counts the images it gets."""

    name, dim = "brightest", 2

    def __init__(self) -> None:
        self.images: list[np.ndarray] = []

    def encode(self, image: np.ndarray) -> Features:
        """Return one feature."""
        self.images.append(image)
        row, column = np.unravel_index(image[..., 0].argmax(), image.shape[:2])
        return Features(np.array([[column + 0.5, row + 0.5]], np.float32), np.eye(2, dtype=np.float32)[:1],
                        np.ones(1, np.float32))


def frame_with_dot(column: int, row: int, upright_turns: int = 0) -> Frame:
    image = np.zeros((240, 320, 3), np.uint8)
    image[row, column] = 255
    return Frame(1, image, CAMERA, upright_turns=upright_turns)


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, -1])
def test_an_image_is_encoded_upright_and_its_keypoints_are_where_they_are_in_the_image(turns):
    inner = BrightestEncoder()
    features = FrameEncoder(inner, MaskConfig()).encode(frame_with_dot(300, 20, turns))
    assert features.keypoints_px.tolist() == [[300.5, 20.5]]
    assert inner.images[0].shape == ((320, 240, 3) if turns % 2 else (240, 320, 3))


def test_a_quarter_turn_is_clockwise():
    inner = BrightestEncoder()
    FrameEncoder(inner, MaskConfig()).encode(frame_with_dot(0, 0, 1))
    assert inner.images[0][0, 239, 0] == 255


def test_what_the_mask_hides_is_left_out(tmp_path: Path):
    mask = np.full((240, 320), 255, np.uint8)
    mask[200:] = 0
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    frames = FrameEncoder(BrightestEncoder(), MaskConfig(file=str(tmp_path / "mask.png")))
    assert [len(frames.encode(frame_with_dot(10, row))) for row in (100, 220)] == [1, 0]
    assert len(frames.encode(frame_with_dot(10, 220, 2))) == 0


def test_what_the_mask_of_a_frame_hides_is_left_out_too(tmp_path: Path):
    drawn, of_frame = np.full((240, 320), 255, np.uint8), np.full((24, 32), 255, np.uint8)
    drawn[200:], of_frame[:, :16] = 0, 0
    cv2.imwrite(str(tmp_path / "mask.png"), drawn)
    frames = FrameEncoder(BrightestEncoder(), MaskConfig(file=str(tmp_path / "mask.png")))
    seen = [len(frames.encode(replace(frame_with_dot(*dot), mask=of_frame)))
            for dot in ((200, 100), (10, 100), (200, 220))]
    assert seen == [1, 0, 0]


def test_an_image_is_encoded_once():
    inner = BrightestEncoder()
    frames, frame = FrameEncoder(inner, MaskConfig()), frame_with_dot(5, 5)
    frames.encode(frame)
    frames.observe(replace(frame, stamp_ns=2), np.eye(4), "map")
    frames.encode(frame)
    assert len(inner.images) == 1


def test_detection_can_be_switched_off():
    inner = BrightestEncoder()
    assert not FrameEncoder(inner, MaskConfig(detect=False)).observe(frame_with_dot(5, 5), np.eye(4), "map")
    assert inner.images == []


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
