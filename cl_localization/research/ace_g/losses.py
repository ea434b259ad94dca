"""Losses that learn a point and how certain it is at once: Laplace, in metres and in pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MIN_SIGMA = 1e-4
"""Smallest standard deviation, in metres or pixels, that is believed."""

MIN_DEPTH_M, MAX_DEPTH_M, MAX_ERROR_PX = 0.1, 1000.0, 1000.0


def laplace_nll(error: Tensor, sigma: Tensor) -> Tensor:
    """Return the negative log-likelihood (N,) of errors (N,) under Laplace distributions of standard deviations (N,),
    up to a constant."""
    return torch.log(sigma) + math.sqrt(2.0) * error / sigma


def laplace_loss_3d(points_m: Tensor, true_m: Tensor, log_sigma: Tensor) -> Tensor:
    """Return the loss (N,) of points (N, 3) with log standard deviations (N,) against the true ones (N, 3)."""
    return laplace_nll(torch.linalg.vector_norm(points_m - true_m, dim=-1), log_sigma.exp().clamp(min=MIN_SIGMA))


def laplace_loss_px(points_m: Tensor, log_sigma: Tensor, cam_T_world: Tensor, intrinsics: Tensor, pixels: Tensor,
                    target_depth_m: float) -> Tensor:
    """Return the loss (N,) of points where only their pixels are known.

    A standard deviation in metres is one of `focal / depth` times as many pixels. Points behind the camera, or absurdly
    far or wrong, are drawn in 3D to the point at `target_depth_m` on their pixel's ray instead.

    Args:
        points_m: (N, 3) predicted.
        log_sigma: (N,) of their standard deviations in metres.
        cam_T_world: (N, 3, 4).
        intrinsics: (N, 4) of fx fy cx cy.
        pixels: (N, 2) undistorted keypoints.
    """
    points_cam = (cam_T_world[:, :, :3] @ points_m[:, :, None])[:, :, 0] + cam_T_world[:, :, 3]
    depth_m, sigma_m = points_cam[:, 2], log_sigma.exp()
    focal, centre = intrinsics[:, :2], intrinsics[:, 2:]
    safe_m = depth_m.clamp(min=MIN_DEPTH_M)
    error_px = (points_cam[:, :2] / safe_m[:, None] * focal + centre - pixels).abs().sum(1)
    valid = (depth_m >= MIN_DEPTH_M) & (depth_m <= MAX_DEPTH_M) & (error_px <= MAX_ERROR_PX)
    in_image = laplace_nll(error_px, (sigma_m * focal[:, 0] / safe_m).clamp(min=MIN_SIGMA))
    target_m = torch.cat([(pixels - centre) / focal, torch.ones_like(pixels[:, :1])], 1) * target_depth_m
    in_space = laplace_nll(torch.linalg.vector_norm(points_cam - target_m, dim=1), sigma_m)
    return torch.where(valid, in_image, in_space)
