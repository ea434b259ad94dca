"""ACE's regression head: an MLP of residual blocks with a homogeneous output."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 512
MIN_SCALE, MAX_SCALE = 0.01, 4.0
"""Bounds of the homogeneous scale: points lie within 1 / MIN_SCALE = 100 times the raw output around the mean."""
SOFTPLUS_BETA = math.log(2.0) / (1.0 - 1.0 / MAX_SCALE)
"""Makes a raw output of 0 a scale of 1."""


class AceHead(nn.Module):
    """Features (N, D) to scene coordinates (N, 3) around a mean (section 3.2 and the supplement of the paper).

    Attributes:
        mean_m: (3,) mean of the training cameras' centres, saved with the weights.
        dim, width: numbers of a feature and of a layer.
    """

    def __init__(self, dim: int, mean_m: Tensor, blocks: int = 1, width: int = WIDTH) -> None:
        """Make a head for features of length `dim` with `blocks` residual blocks of three layers after the first."""
        super().__init__()
        self.dim, self.width = dim, width
        self.register_buffer("mean_m", mean_m.float())
        self.skip = nn.Identity() if dim == width else nn.Linear(dim, width)
        self.first = _block(dim, width)
        self.blocks = nn.ModuleList(_block(width, width) for _ in range(blocks))
        self.last = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                                  nn.Linear(width, 4))

    def forward(self, features: Tensor) -> Tensor:
        """Return scene coordinates (N, 3) in metres."""
        values = self.skip(features) + self.first(features)
        for block in self.blocks:
            values = values + block(values)
        return dehomogenised(self.last(values)) + self.mean_m


def dehomogenised(raw: Tensor) -> Tensor:
    """Return points (..., 3) of raw outputs (..., 4): x y z over a scale that is positive and bounded on both sides."""
    scale = F.softplus(raw[..., 3:], beta=SOFTPLUS_BETA) + 1.0 / MAX_SCALE
    return raw[..., :3] / scale.clamp(max=1.0 / MIN_SCALE)


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, after), nn.ReLU(), nn.Linear(after, after), nn.ReLU(),
                         nn.Linear(after, after), nn.ReLU())


def reprojection_loss(points_m: Tensor, cam_T_world: Tensor, intrinsics: Tensor, pixels: Tensor, progress: float,
                      schedule: ClampSchedule) -> Tensor:
    """Return ACE's loss, the mean over N points.

    Points in front of the camera with an error below the hard clamp count with tau * tanh(error / tau), tau falling
    over training; others are drawn to the point at `target_depth_m` on their pixel's ray.

    Args:
        points_m: (N, 3) predicted.
        cam_T_world: (N, 3, 4).
        intrinsics: (N, 4) of fx fy cx cy.
        pixels: (N, 2) undistorted keypoints.
        progress: share of the training done, 0 to 1.
    """
    points_cam = (cam_T_world[:, :, :3] @ points_m[:, :, None])[:, :, 0] + cam_T_world[:, :, 3]
    depth_m = points_cam[:, 2]
    focal, centre = intrinsics[:, :2], intrinsics[:, 2:]
    projected = points_cam[:, :2] / depth_m.clamp(min=schedule.min_depth_m)[:, None] * focal + centre
    error_px = (projected - pixels).abs().sum(1)
    valid = (depth_m >= schedule.min_depth_m) & (depth_m <= schedule.max_depth_m) & (error_px <= schedule.hard_px)
    tau_px = schedule.soft_px(progress)
    ray = torch.cat([(pixels - centre) / focal, torch.ones_like(pixels[:, :1])], 1) * schedule.target_depth_m
    invalid_m = (points_cam - ray).abs().sum(1)
    return torch.where(valid, tau_px * torch.tanh(error_px / tau_px), invalid_m).mean()


class ClampSchedule:
    """The bounds of the reprojection loss; the soft one falls along a quarter circle."""

    min_depth_m, max_depth_m, target_depth_m = 0.1, 1000.0, 10.0
    hard_px, start_px, end_px = 1000.0, 50.0, 1.0

    def soft_px(self, progress: float) -> float:
        """Return tau: about 51 px at the start, 1 px at the end."""
        return self.start_px * math.sqrt(max(0.0, 1.0 - progress**2)) + self.end_px
