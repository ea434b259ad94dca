"""The two dense networks: SCRNet regresses scene coordinates, HSCNet classifies regions first and regresses the rest.

Both take images (B, 3, H, W) in [-1, 1] and answer on a grid of one cell for 8 x 8 pixels; cell (r, c) stands for pixel
(8 c + 4, 8 r + 4). H and W are multiples of 32.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SUB_REGIONS = 25
"""Regions of the first level per scene, and sub-regions of each of them."""
TRUNK = ((64, 1), (128, 2), (128, 2), (256, 1), (256, 2), (512, 1), (512, 1), (512, 1))
"""Channels and stride of the trunk's 3x3 convolutions."""
CELL_PX = 8


@dataclass(frozen=True)
class Widths:
    """Channels of HSCNet's branches, as published for one scene and for several in one network."""

    stem: int
    level1: int
    level1_last: int
    generator1: tuple[int, ...]
    generator2: tuple[int, ...]
    context: int = 256
    coordinates: int = 4096
    trunk: tuple[int, ...] = tuple(channels for channels, _ in TRUNK)

    @classmethod
    def published(cls, scenes: int) -> Widths:
        """Return the channels of the original for 1, up to 7 (i7S), or more scenes (i12S, i19S)."""
        if scenes == 1:
            return cls(128, 128, 64, (32, 64, 128), (50, 64, 128, 256, 512))
        if scenes <= 7:
            return cls(256, 256, 128, (128, 128, 128, 256, 256), (128, 128, 128, 256, 512))
        return cls(256, 256, 256, (256, 128, 128, 256, 256), (256, 128, 128, 256, 512))

    def scaled(self, width: float) -> Widths:
        """Return the channels times `width`, at least 4 each; a network of width 1/8 trains on a CPU."""
        def scale(value: int | tuple[int, ...]) -> int | tuple[int, ...]:
            return tuple(scale(each) for each in value) if isinstance(value, tuple) else max(4, round(value * width))
        return Widths(**{name: scale(getattr(self, name)) for name in self.__dataclass_fields__})


@dataclass
class Prediction:
    """What a network says of every cell.

    Attributes:
        coordinates_m: (B, 3, h, w) SCRNet: scene coordinates; HSCNet: their offset from the centre of the cell's leaf
            region.
        logits: (B, R, h, w) of the regions and (B, 25, h, w) of the sub-regions; empty for SCRNet.
    """

    coordinates_m: Tensor
    logits: tuple[Tensor, ...] = field(default=())

    def labels(self) -> tuple[Tensor, Tensor]:
        """Return the most likely region and sub-region (B, h, w)."""
        return self.logits[0].argmax(1), self.logits[1].argmax(1)

    def to(self, device: str) -> Prediction:
        """Return the prediction on a device."""
        return Prediction(self.coordinates_m.to(device), tuple(logits.to(device) for logits in self.logits))

    def images(self, rows: slice) -> Prediction:
        """Return what is said of some of the images."""
        return Prediction(self.coordinates_m[rows], tuple(logits[rows] for logits in self.logits))

    @classmethod
    def joined(cls, predictions: Sequence[Prediction]) -> Prediction:
        """Return predictions as one of all their images."""
        return cls(torch.cat([each.coordinates_m for each in predictions]),
                   tuple(torch.cat(logits) for logits in zip(*(each.logits for each in predictions))))


class ScrNet(nn.Module):
    """Scene coordinates by regression: a plain convolutional network with ReLU."""

    def __init__(self, width: float = 1.0) -> None:
        """Make a network with published channels times `width`."""
        super().__init__()
        widths = Widths.published(1).scaled(width)
        self.trunk = _trunk(widths.trunk, nn.ReLU)
        self.head = nn.Sequential(_conv(widths.trunk[-1], widths.coordinates, 1), nn.ReLU(),
                                  _conv(widths.coordinates, widths.coordinates, 1), nn.ReLU(),
                                  _conv(widths.coordinates, 3, 1))

    def forward(self, images: Tensor) -> Prediction:
        """Return scene coordinates."""
        return Prediction(self.head(self.trunk(images)))


class HscNet(nn.Module):
    """Region, sub-region and offset, each conditioned on the level before it."""

    def __init__(self, scenes: int = 1, width: float = 1.0, coordinate_channels: int = 0) -> None:
        """Make a network for a number of scenes with 25 regions of 25 sub-regions each, with published channels times
        `width`.

        Args:
            coordinate_channels: of the branch of coordinates; 0 as published times `width`, too.
        """
        super().__init__()
        self.scenes, self.regions = scenes, SUB_REGIONS * scenes
        w = Widths.published(scenes).scaled(width)
        w = replace(w, coordinates=coordinate_channels or w.coordinates)
        half = max(2, w.stem // 2)
        self.trunk = _trunk(w.trunk, nn.ELU)
        self.stem = _activated(_conv(w.trunk[-1], w.stem, 3))
        self.down = _down(w.stem, w.stem)
        self.down_again = _down(w.stem, w.context)
        self.level1_up = _up(w.context, w.level1)
        self.level1_mix = nn.Sequential(_activated(_conv(w.level1 + w.stem, w.level1, 3)), _up(w.level1, w.level1))
        self.level1_head = nn.Sequential(_activated(_conv(w.level1 + w.stem, w.level1, 1)),
                                         _activated(_conv(w.level1, w.level1_last, 1)),
                                         _conv(w.level1_last, self.regions, 1))
        self.level2_up = _up(w.stem, w.stem)
        self.level2 = Modulated((2 * w.stem, w.stem, half), self.regions, w.generator1)
        self.level2_last = _conv(half, SUB_REGIONS, 1)
        self.coordinates = Modulated((w.trunk[-1], w.coordinates, w.coordinates), self.regions + SUB_REGIONS,
                                     w.generator2)
        self.coordinates_last = _conv(w.coordinates, 3, 1)

    def forward(self, images: Tensor, labels: tuple[Tensor, Tensor] | None = None) -> Prediction:
        """Return offsets and logits.

        Args:
            labels: true region and sub-region (B, h, w) to condition on (training); None conditions on the most likely
                ones.
        """
        features = self.trunk(images)
        stem = self.stem(features)
        down = self.down(stem)
        context = self.level1_mix(torch.cat([self.level1_up(self.down_again(down)), down], 1))
        logits1 = self.level1_head(torch.cat([context, stem], 1))
        region = _one_hot(logits1.argmax(1) if labels is None else labels[0], self.regions)
        logits2 = self.level2_last(self.level2(torch.cat([self.level2_up(down), stem], 1), region))
        sub_region = _one_hot(logits2.argmax(1) if labels is None else labels[1], SUB_REGIONS)
        offsets_m = self.coordinates_last(self.coordinates(features, torch.cat([region, sub_region], 1)))
        return Prediction(offsets_m, (logits1, logits2))


class Modulated(nn.Module):
    """1x1 convolutions whose outputs are scaled and shifted by what a generator makes of the condition (FiLM, a cell at
    a time)."""

    def __init__(self, channels: tuple[int, ...], condition: int, generator: tuple[int, ...]) -> None:
        """Make convolutions through `channels`, conditioned on maps of `condition` channels."""
        super().__init__()
        widths = (condition, *generator)
        self.generator = nn.Sequential(*(_activated(_conv(a, b, 1)) for a, b in itertools.pairwise(widths)))
        self.layers = nn.ModuleList(_activated(_conv(a, b, 1)) for a, b in itertools.pairwise(channels))
        self.gains = nn.ModuleList(_activated(_conv(widths[-1], b, 1)) for b in channels[1:])
        self.shifts = nn.ModuleList(_activated(_conv(widths[-1], b, 1)) for b in channels[1:])

    def forward(self, values: Tensor, condition: Tensor) -> Tensor:
        """Return the modulated maps of the last layer."""
        generated = self.generator(condition)
        for layer, gain, shift in zip(self.layers, self.gains, self.shifts):
            values = F.elu(gain(generated) * layer(values) + shift(generated))
        return values


def _trunk(channels: tuple[int, ...], activation: type[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after, (_, stride) in zip((3, *channels), channels, TRUNK):
        layers += [_conv(before, after, 3, stride), activation()]
    return nn.Sequential(*layers)


def _conv(before: int, after: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps size / stride, Xavier-initialised without bias as in the original."""
    layer = nn.Conv2d(before, after, kernel, stride, dilation * (kernel - 1) // 2, dilation)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _activated(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.ELU())


def _down(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(_activated(_conv(before, after, 3, 2, 2)), _activated(_conv(after, after, 3, 1, 2)))


def _up(before: int, after: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(before, after, 2, 2)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return _activated(layer)


def _one_hot(labels: Tensor, count: int) -> Tensor:
    return F.one_hot(labels, count).permute(0, 3, 1, 2).float()
