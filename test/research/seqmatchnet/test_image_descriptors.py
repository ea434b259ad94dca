from __future__ import annotations

import numpy as np
import pytest

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.image_descriptors import (
    local_contrast,
    patch_normalised,
    pixel_descriptor,
    small_grey,
)
from cl_localization.research.seqmatchnet.options import ImageDescriptorConfig


def grey_image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(20, 200, (32, 64)).astype(np.float32)


def test_patches_have_no_mean_and_unit_spread_also_at_the_border() -> None:
    normal = patch_normalised(grey_image()[:, :60], 8)
    for patch in (normal[:8, :8], normal[8:16, 56:60]):
        assert abs(patch.mean()) < 1e-5 and abs(patch.std() - 1) < 1e-4


def test_patch_normalisation_forgets_gain_and_offset() -> None:
    image = grey_image()
    assert np.allclose(patch_normalised(image, 8), patch_normalised(0.4 * image + 30, 8), atol=1e-3)


def test_a_flat_image_has_no_pattern_and_no_nan() -> None:
    flat = np.full((32, 64), 90, np.float32)
    assert np.allclose(patch_normalised(flat, 8), 0) and np.allclose(local_contrast(flat, 3.0), 0, atol=1e-4)
    assert np.allclose(local_contrast(np.zeros((32, 64), np.float32), 3.0), 0)


def test_local_contrast_hardly_changes_with_the_light() -> None:
    image = grey_image()
    before, after = local_contrast(image, 3.0).ravel(), local_contrast(0.3 * image, 3.0).ravel()
    assert np.corrcoef(before, after)[0, 1] > 0.99


@pytest.mark.parametrize("kind", ["local_contrast", "patch_normalised"])
def test_colour_and_large_images_give_descriptors_of_one_size(kind: str) -> None:
    config = ImageDescriptorConfig(kind=kind)
    colour = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    assert pixel_descriptor(colour, config).shape == (2048,) == pixel_descriptor(colour[..., 0], config).shape


@pytest.mark.parametrize("image", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_image_is_refused(image: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"image must be \(H, W, 3\) RGB or \(H, W\) grey uint8"):
        small_grey(image, 64, 32)
