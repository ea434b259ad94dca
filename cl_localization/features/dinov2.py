"""DINOv2 with registers (Oquab et al., 2023; Darcet et al., 2024), the encoder of ACE-G: a feature per 14x14 patch.

Robust to changes of light and season, coarser than XFeat. The network comes from timm, the weights from a local
safetensors file or the model hub.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cl_localization.config import EncoderConfig
from cl_localization.errors import EncoderError
from cl_localization.features.encoder import Features, checked_image
from cl_localization.features.weights import load_safetensors, load_state, torch_device

PATCH_PX = 14
MODELS = {"small": "vit_small_patch14_reg4_dinov2", "base": "vit_base_patch14_reg4_dinov2",
          "large": "vit_large_patch14_reg4_dinov2"}
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
"""ImageNet's colour statistics, with which DINOv2 was trained."""


class DinoV2Encoder:
    """Patch tokens as features, ordered by their difference to the neighbouring patches."""

    def __init__(self, config: EncoderConfig, unit_length: bool = True) -> None:
        """Load the network.

        Args:
            unit_length: whether descriptors have length one, as maps need them, or are the tokens as they come.

        Raises:
            EncoderError: its package, weights or device are missing.
        """
        self._unit_length = unit_length
        self.name = f"dinov2_{config.dinov2_size}"  # each size has one set of published weights
        self.device = torch_device(config.device)
        self.max_keypoints = config.max_keypoints
        self.max_side_px = config.max_image_side_px
        network: Any = _load_network(MODELS[config.dinov2_size], config.weights).to(self.device).eval()
        self.network, self.dim = network, int(network.num_features)

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> Features:
        """Return a feature per patch, up to `max_keypoints`, of an (H, W, 3) uint8 RGB image; see `Encoder`."""
        image = checked_image(image, PATCH_PX)
        height, width = image.shape[:2]
        shrink = min(1.0, self.max_side_px / max(height, width))
        columns, rows = (max(1, int(side * shrink) // PATCH_PX) for side in (width, height))
        resized = cv2.resize(image, (columns * PATCH_PX, rows * PATCH_PX), interpolation=cv2.INTER_AREA)
        normalized = (resized.astype(np.float32) / 255.0 - MEAN) / STD
        batch = torch.from_numpy(normalized).permute(2, 0, 1)[None].to(self.device)
        tokens = self.network.forward_features(batch)[0, self.network.num_prefix_tokens:].float()
        unit = F.normalize(tokens, dim=1)
        scores, order = torch.topk(distinctiveness(unit, rows, columns), min(self.max_keypoints, rows * columns))
        descriptors = unit if self._unit_length else tokens
        centres = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) + 0.5
        keypoints_px = (centres * [width / columns, height / rows]).astype(np.float32)
        return Features(keypoints_px[order.cpu().numpy()], descriptors[order].cpu().numpy(), scores.cpu().numpy())


def distinctiveness(descriptors: Tensor, rows: int, columns: int) -> Tensor:
    """Return one minus the mean similarity (N,) of each unit descriptor (N, D) of a grid to those around it."""
    grid = descriptors.T.reshape(1, -1, rows, columns)
    around = F.avg_pool2d(grid, 3, stride=1, padding=1, count_include_pad=False)
    return 1.0 - (grid * around).sum(dim=1).reshape(-1)


def _load_network(model: str, weights: str) -> nn.Module:
    _declare_torchvision_operators()
    try:
        import timm
    except ImportError as error:
        raise EncoderError("package timm", "is missing", remedy="pip install 'cl_localization[dinov2]'") from error
    if weights:
        network = timm.create_model(model, pretrained=False, num_classes=0, dynamic_img_size=True)
        return load_state(network, load_safetensors(weights), weights)
    try:
        return timm.create_model(model, pretrained=True, num_classes=0, dynamic_img_size=True)
    except Exception as error:  # the hub client raises errors of many libraries
        raise EncoderError(f"weights of {model}", "must be reachable on the model hub or given as a file",
                           type(error).__name__, "set encoder.weights to a safetensors file of this model") from error


def _declare_torchvision_operators() -> None:
    """Make `import torchvision`, which timm needs, work with a torch of another build (CPU torch, CUDA torchvision).

    The import fails if its operators are not declared; timm does not call them, so declaring them is enough.
    """
    if hasattr(torch.ops.torchvision, "nms"):
        return
    try:
        import torchvision  # noqa: F401  (registers the operators if the builds match)
    except ImportError:
        return
    except RuntimeError:
        operators = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(operators)


_DECLARED: list[torch.library.Library] = []
"""Kept: what a library declares goes with it."""
