"""Dense scene coordinates to a camera pose."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cl_localization.data.frame import Frame
from cl_localization.research.hscnet.network import CELL_PX, SUB_REGIONS, Prediction
from cl_localization.research.hscnet.samples import cell_centres_px, image_tensor, prepared
from cl_localization.research.plain_pose import PlainPose, plain_pose


def scene_coordinates_m(prediction: Prediction, leaf_centres_m: Tensor | None = None) -> Tensor:
    """Return scene coordinates (B, 3, h, w) of a prediction.

    Args:
        leaf_centres_m: (R * 25, 3) centres of all leaves of HSCNet's scenes; None for SCRNet.
    """
    if leaf_centres_m is None:
        return prediction.coordinates_m
    regions, sub_regions = prediction.labels()
    return prediction.coordinates_m + leaf_centres_m[regions * SUB_REGIONS + sub_regions].permute(0, 3, 1, 2)


def predict(
    network: torch.nn.Module, frame: Frame, width_px: int, leaf_centres_m: Tensor | None
) -> tuple[Frame, np.ndarray]:
    """Return the frame as the network saw it and the scene coordinates (h, w, 3) of its cells."""
    small = prepared(frame, width_px)
    network.eval()
    with torch.inference_mode():
        device = next(network.parameters()).device
        coordinates_m = scene_coordinates_m(network(image_tensor(small.image).to(device)), leaf_centres_m)
    return small, coordinates_m[0].permute(1, 2, 0).cpu().numpy()


def dense_pose(frame: Frame, coordinates_m: np.ndarray, seed: int = 0) -> PlainPose:
    """Return the pose that most cells (h, w, 3) of a prepared frame agree with."""
    cells_px = cell_centres_px(coordinates_m.shape[1] * CELL_PX, coordinates_m.shape[0] * CELL_PX).reshape(-1, 2)
    return plain_pose(frame.camera, cells_px, coordinates_m.reshape(-1, 3), seed)
