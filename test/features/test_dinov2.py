"""The DINOv2 encoder, with random weights: no network is needed."""

from __future__ import annotations

import builtins
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features import dinov2, make_encoder
from cl_localization.features.dinov2 import MODELS, PATCH_PX, DinoV2Encoder, distinctiveness


def image_of(width_px: int, height_px: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the small network in a file."""
    try:
        dinov2._declare_torchvision_operators()
        timm = importlib.import_module("timm")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be imported: {error}")
    torch.manual_seed(0)
    network = timm.create_model(MODELS["small"], pretrained=False, num_classes=0, dynamic_img_size=True)
    file = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file({name: values.contiguous() for name, values in network.state_dict().items()}, file)
    return file


@pytest.fixture(scope="module")
def encoder(weights: Path) -> DinoV2Encoder:
    """A small encoder with those weights."""
    return make_encoder(EncoderConfig(name="dinov2", device="cpu", weights=str(weights)))


def test_its_name_tells_its_size(encoder):
    assert (encoder.name, encoder.dim) == ("dinov2_small", 384)


@pytest.mark.parametrize(("width_px", "height_px"), [(140, 112), (150, 120), (100, 47)])
def test_there_is_a_feature_a_patch(encoder, width_px, height_px):
    features = encoder.encode(image_of(width_px, height_px))
    assert len(features) == (width_px // PATCH_PX) * (height_px // PATCH_PX)
    assert features.descriptors.shape == (len(features), 384)
    np.testing.assert_allclose(np.linalg.norm(features.descriptors, axis=1), 1, atol=1e-5)
    assert (np.diff(features.scores) <= 0).all()
    assert (features.keypoints_px > 0).all()
    assert (features.keypoints_px < [width_px, height_px]).all()


def test_keypoints_are_the_centres_of_patches(encoder):
    features = encoder.encode(image_of(70, 56))
    assert sorted(map(tuple, features.keypoints_px.tolist())) == [(7.0 + 14 * x, 7.0 + 14 * y) for x in range(5)
                                                                  for y in range(4)]


def test_the_same_image_gives_the_same_features(encoder):
    first, second = (encoder.encode(image_of(84, 84)) for _ in range(2))
    np.testing.assert_array_equal(first.keypoints_px, second.keypoints_px)
    np.testing.assert_array_equal(first.descriptors, second.descriptors)


def test_features_know_where_they_are_in_the_image(encoder):
    image = image_of(84, 84)
    mirrored = encoder.encode(image[:, ::-1].copy())
    original = encoder.encode(image)
    assert not np.array_equal(original.descriptors, mirrored.descriptors)


def test_the_strongest_features_of_a_smaller_image_are_kept(weights):
    few = DinoV2Encoder(EncoderConfig(name="dinov2", device="cpu", weights=str(weights), max_keypoints=50,
                                      max_image_side_px=140))
    features = few.encode(image_of(280, 280))
    assert len(features) == 50
    assert features.keypoints_px.max() > 140


def test_an_image_smaller_than_a_patch_is_refused(encoder):
    with pytest.raises(EncoderError, match="image must be at least 14 px on each side, found 100x10"):
        encoder.encode(image_of(100, 10))


def test_weights_of_another_size_are_refused(weights):
    with pytest.raises(EncoderError, match="weights .*small.safetensors must fit the network"):
        DinoV2Encoder(EncoderConfig(name="dinov2", device="cpu", weights=str(weights), dinov2_size="base"))


def test_without_weights_and_hub_the_remedy_is_told(weights, monkeypatch):
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(EncoderError, match="weights of vit_small.* must be reachable on the model hub or given as a "
                                           "file, "
                                           "found ConnectionError; set encoder.weights to a safetensors file"):
        DinoV2Encoder(EncoderConfig(name="dinov2", device="cpu"))


def test_without_timm_the_remedy_is_told(monkeypatch):
    imported = builtins.__import__

    def without_timm(name: str, *args: object, **kwargs: object) -> object:
        if name == "timm":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_timm)
    with pytest.raises(EncoderError, match=r"package timm is missing; pip install 'cl_localization\[dinov2\]'"):
        DinoV2Encoder(EncoderConfig(name="dinov2", device="cpu"))


def test_a_patch_like_no_neighbour_is_the_most_distinctive():
    descriptors = torch.zeros(20, 3)
    descriptors[:, 0] = 1.0
    descriptors[7] = torch.tensor([0.0, 1.0, 0.0])
    scores = distinctiveness(descriptors, 4, 5)
    assert scores.argmax().item() == 7
    assert scores[19].item() == pytest.approx(0.0, abs=1e-6)
