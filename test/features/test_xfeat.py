"""The XFeat encoder: where keypoints lie, how they move with the image, and which images are refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features import Features, make_encoder
from cl_localization.features.xfeat import XFeatEncoder
from image_makers import textured


@pytest.fixture(scope="module")
def encoder() -> XFeatEncoder:
    """The default encoder on the CPU."""
    return XFeatEncoder(EncoderConfig(device="cpu"))


@pytest.fixture(scope="module")
def features(encoder: XFeatEncoder) -> Features:
    """Features of the default image."""
    return encoder.encode(textured())


def moved_apart(first: Features, second: Features, shift_px: tuple[float, float]) -> np.ndarray:
    """Return how far each shifted keypoint of the first lies from the nearest of the second."""
    wanted = first.keypoints_px + np.array(shift_px)
    return np.linalg.norm(wanted[:, None] - second.keypoints_px[None], axis=2).min(axis=1)


def test_it_is_the_default():
    encoder = make_encoder(EncoderConfig(device="cpu"))
    assert isinstance(encoder, XFeatEncoder)
    assert (encoder.name, encoder.dim) == ("xfeat", 64)


def test_features_are_what_every_encoder_promises(features):
    count = len(features)
    assert count > 200
    assert (features.keypoints_px.shape, features.descriptors.shape, features.scores.shape) == (
        (count, 2),
        (count, 64),
        (count,),
    )
    assert {array.dtype for array in (features.keypoints_px, features.descriptors,
                                      features.scores)} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
    assert (np.diff(features.scores) <= 0).all()


def test_keypoints_lie_in_the_image_and_between_pixels(features):
    assert (features.keypoints_px > 0).all()
    assert (features.keypoints_px < [320, 256]).all()
    fraction = features.keypoints_px % 1
    assert (np.abs(fraction - 0.5) > 0.01).mean() > 0.5


def test_no_two_keypoints_share_a_place(features):
    apart_px = np.linalg.norm(features.keypoints_px[:, None] - features.keypoints_px[None], axis=2)
    assert apart_px[~np.eye(len(features), dtype=bool)].min() > 0.5


def test_the_same_image_gives_the_same_features(encoder, features):
    again = encoder.encode(textured())
    np.testing.assert_array_equal(again.keypoints_px, features.keypoints_px)
    np.testing.assert_array_equal(again.descriptors, features.descriptors)


def test_an_image_is_left_as_it_was(encoder):
    image = textured()
    image.setflags(write=False)
    encoder.encode(image)
    np.testing.assert_array_equal(image, textured())


@pytest.mark.parametrize("shift_px", [(8, 0), (0, 8), (16, -8)])
def test_keypoints_move_with_the_image(encoder, features, shift_px):
    moved = encoder.encode(np.roll(textured(), (shift_px[1], shift_px[0]), axis=(0, 1)))
    wanted = features.keypoints_px + np.array(shift_px)
    inside = ((wanted > 24) & (wanted < [320 - 24, 256 - 24]) & (features.keypoints_px > 24)
              & (features.keypoints_px < [320 - 24, 256 - 24])).all(axis=1)
    apart_px = moved_apart(features.select(inside), moved, shift_px)
    assert inside.sum() > 100
    assert (apart_px < 0.1).mean() > 0.95


def test_descriptors_of_moved_keypoints_match(encoder, features):
    moved = encoder.encode(np.roll(textured(), 32, axis=1))
    similarity = features.descriptors @ moved.descriptors.T
    best = similarity.argmax(axis=1)
    right = np.linalg.norm(features.keypoints_px + [32, 0] - moved.keypoints_px[best], axis=1) < 1
    assert right[features.keypoints_px[:, 0] < 260].mean() > 0.85


@pytest.mark.parametrize(("width_px", "height_px"), [(333, 270), (350, 286)])
def test_an_image_of_any_size_gives_keypoints_in_its_own_pixels(encoder, features, width_px, height_px):
    other = encoder.encode(cv2.resize(textured(), (width_px, height_px), interpolation=cv2.INTER_CUBIC))
    assert (other.keypoints_px < [width_px, height_px]).all()
    scaled = Features(features.keypoints_px * np.float32([width_px / 320, height_px / 256]), features.descriptors,
                      features.scores)
    assert np.median(moved_apart(scaled.select(slice(200)), other, (0, 0))) < 0.5


def test_a_large_image_is_scaled_down_and_its_keypoints_back(encoder):
    small = XFeatEncoder(EncoderConfig(device="cpu", max_image_side_px=320))
    grey = np.repeat(cv2.cvtColor(cv2.resize(textured(), (640, 512)), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    half = encoder.encode(cv2.resize(grey, (320, 256), interpolation=cv2.INTER_AREA))
    np.testing.assert_allclose(small.encode(grey).keypoints_px, 2 * half.keypoints_px, atol=1e-3)


@pytest.mark.parametrize("count", [50, 100])
def test_the_strongest_keypoints_are_kept(features, count):
    few = XFeatEncoder(EncoderConfig(device="cpu", max_keypoints=count)).encode(textured())
    np.testing.assert_array_equal(few.keypoints_px, features.keypoints_px[:count])


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_image_has_few_or_no_features(encoder, grey):
    features = encoder.encode(np.full((240, 320, 3), grey, np.uint8))
    assert len(features) < 50
    assert np.isfinite(features.descriptors).all()


def test_colours_and_not_only_grey_images_are_taken_as_rgb(encoder):
    red = np.zeros((64, 64, 3), np.uint8)
    red[16:48, 16:48, 0] = 255
    grey = np.repeat(cv2.cvtColor(red, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    np.testing.assert_allclose(encoder.encode(red).keypoints_px, encoder.encode(grey).keypoints_px)


@pytest.mark.parametrize("image", [np.zeros((240, 320), np.uint8), np.zeros((240, 320, 4), np.uint8),
                                   np.zeros((240, 320, 3), np.float32), np.zeros((1, 240, 320, 3), np.uint8)])
def test_what_is_no_rgb_image_is_refused(encoder, image):
    with pytest.raises(EncoderError, match=r"image must be \(H, W, 3\) uint8 RGB, found \("):
        encoder.encode(image)


@pytest.mark.parametrize("shape", [(31, 320, 3), (240, 20, 3), (0, 0, 3)])
def test_a_tiny_image_is_refused(encoder, shape):
    with pytest.raises(EncoderError, match=f"image must be at least 32 px on each side, found {shape[1]}x{shape[0]}"):
        encoder.encode(np.zeros(shape, np.uint8))


def test_the_smallest_image_is_taken(encoder):
    assert len(encoder.encode(textured(32, 32))) >= 0
