"""The networks: SeqMatchNet's transform, SeqNet's pooling over time, the baselines without parameters, the front end
for pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_localization.errors import DataError
from cl_localization.research.seqmatchnet.options import LEARNED, SEQUENCE_MATCHED, NetworkConfig
from cl_localization.research.seqmatchnet.sequence_distance import unit

KERNEL_PX = 3
FIRST_KERNEL_PX = 5
OUT_DIMS = 512
SHRINK = 4
"""The front end's maps are this many times smaller than the image."""


class ConvolutionalFrontEnd(nn.Module):
    """Maps of local patterns from descriptors that are pixels: what SeqMatchNet's authors take from NetVLAD, learned
    here.

    Args:
        compared: whether the maps are compared as they are: patterns then have either sign, and unit length in each
            cell.
    """

    def __init__(self, image_shape: tuple[int, int], channels: int, compared: bool = False) -> None:
        super().__init__()
        self.image_shape, self.compared = image_shape, compared
        wide = 2 * channels
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, FIRST_KERNEL_PX, stride=2, padding=FIRST_KERNEL_PX // 2), nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, wide, KERNEL_PX, stride=2, padding=KERNEL_PX // 2), nn.BatchNorm2d(wide), nn.ReLU(),
            nn.Conv2d(wide, wide, KERNEL_PX, padding=KERNEL_PX // 2), nn.BatchNorm2d(wide),
            nn.Identity() if compared else nn.ReLU())
        rows, columns = (-(-side // SHRINK) for side in image_shape)
        self.out_dims = wide * rows * columns

    def forward(self, descriptors: Tensor) -> Tensor:
        """Return (B, out_dims) maps of descriptors (B, H * W)."""
        maps = self.layers(descriptors.reshape(-1, 1, *self.image_shape))
        return (F.normalize(maps, dim=1) if self.compared else maps).flatten(1)


class PlaceNetwork(nn.Module):
    """Descriptors of images to unit descriptors that are compared, of single images or of sequences.

    Attributes:
        in_dims: width of what goes in.
        image_shape: (H, W) where what goes in are pixels, else None.
    """

    def __init__(self, config: NetworkConfig, in_dims: int, image_shape: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.config, self.in_dims, self.image_shape = config, in_dims, image_shape
        self.learned, self.matches_sequences = config.pooling in LEARNED, config.pooling in SEQUENCE_MATCHED
        self.front_end: nn.Module = nn.Identity()
        width = in_dims
        if self.learned and (config.front_end == "convolutional"
                             or (config.front_end == "auto" and image_shape is not None)):
            if image_shape is None:
                raise DataError("front end convolutional", "needs pixels", f"stored descriptors of {in_dims} numbers",
                                "use the front end none")
            as_they_are = not config.out_dims and self.matches_sequences
            self.front_end = ConvolutionalFrontEnd(image_shape, config.channels, as_they_are)
            width = self.front_end.out_dims
        self.dropout = nn.Dropout(config.dropout)
        self.kernel_images = config.w if config.pooling == "seqnet" else 1
        compared = isinstance(self.front_end, ConvolutionalFrontEnd) and self.front_end.compared
        self.transform = (nn.Conv1d(width, config.out_dims or OUT_DIMS, self.kernel_images)
                          if self.learned and not compared else None)

    def forward(self, windows: Tensor) -> Tensor:
        """Return unit descriptors (B, out) of windows of L images (B, L, D); with sequence matching L must be 1.

        In evaluation mode the images' own descriptors are appended with their weight: what was learned on one stretch
        holds less on another, what an image looks like holds everywhere. What is trained is the learned part alone.

        SeqNet: a convolution over time, averaged. smooth: the mean. delta: second half minus first half. single: the
            centre image.
        """
        batch, length, width = windows.shape
        if not self.learned:
            return unit(self._fixed(windows))
        features = self.dropout(self.front_end(windows.reshape(batch * length, width)))
        if self.transform is not None:
            features = self.transform(features.reshape(batch, length, -1).transpose(1, 2)).mean(dim=2)
        learned = unit(features)
        if self.training or not self.matches_sequences or not self.config.keep_input:
            return learned
        return unit(torch.cat([learned, self.config.keep_input * unit(self._fixed(windows))], dim=1))

    def images(self, descriptors: Tensor) -> Tensor:
        """Return unit descriptors (B, out) of single images (B, D)."""
        return self(descriptors[:, None])

    def _fixed(self, windows: Tensor) -> Tensor:
        length = windows.shape[1]
        if self.config.pooling == "smooth":
            return windows.mean(dim=1)
        if self.config.pooling == "delta" and length > 1:
            half = length // 2
            return windows[:, length - half:].mean(dim=1) - windows[:, :half].mean(dim=1)
        return windows[:, length // 2]


def described(network: PlaceNetwork, descriptors: Tensor, windows: Tensor, batch_size: int) -> Tensor:
    """Return descriptors (N, out) of windows of images, in evaluation mode, without gradients, batch by batch.

    Args:
        descriptors: (M, D) of images.
        windows: (N, L) rows of `descriptors`.
    """
    was_training = network.training
    network.eval()
    with torch.no_grad():
        parts = [network(descriptors[rows]) for rows in windows.split(batch_size)]
    network.train(was_training)
    return torch.cat(parts)


def described_images(network: PlaceNetwork, descriptors: Tensor, batch_size: int) -> Tensor:
    """Return descriptors (N, out) of single images (N, D), as `described` does."""
    return described(network, descriptors, torch.arange(len(descriptors))[:, None], batch_size)
