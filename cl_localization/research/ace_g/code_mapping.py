"""A new scene in the paper's form: its codes are learned from posed images while the network stays as it is; then
images are localized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.features import Features
from cl_localization.geometry.camera import Camera
from cl_localization.research.ace.training import AceBuffer
from cl_localization.research.ace_g.code_network import CodeRegressor, new_codes
from cl_localization.research.ace_g.losses import laplace_loss_px
from cl_localization.research.ace_g.options import CodeMappingConfig
from cl_localization.research.plain_pose import PlainPose, plain_pose

START_SHARE, END_SHARE, RISE = 1 / 5, 1 / 1000, 0.3
"""Learning rate at the start and at the end over that at the top, and the share of the iterations in which it rises."""

LEAST_POINTS = 10
"""Fewer points than this are not cut by their uncertainty."""


@dataclass(frozen=True, eq=False)
class SceneCodes:
    """A scene: its codes (M, width), and the mean of its cameras' centres (3,) that points are relative to."""

    codes: Tensor
    mean_m: Tensor


def learn_codes(network: CodeRegressor, buffer: AceBuffer, config: CodeMappingConfig = CodeMappingConfig(),
                tell: Callable[[int, int, Tensor], None] = lambda done, total, loss: None) -> SceneCodes:
    """Return the codes of a scene, learned from features with poses by the Laplace loss in pixels; the network is not
    changed."""
    device, mean_m = next(network.parameters()).device, buffer.mean_centre_m()
    codes = new_codes(network.config, torch.Generator().manual_seed(config.seed), device)
    generator, held = torch.Generator(device).manual_seed(config.seed), buffer.on(device)
    optimizer = torch.optim.AdamW([codes], lr=config.learning_rate, weight_decay=0.01)
    network.requires_grad_(False)
    for step in range(config.iterations):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_share(step / config.iterations)
        rows = torch.randint(len(held.features), (config.batch_size,), generator=generator, device=device)
        views, features = held.views[rows], held.features[rows]
        points_m, log_sigma = network(with_dropout(features, config.feature_dropout, generator), codes)
        loss = laplace_loss_px(points_m + mean_m.to(device), log_sigma, held.cam_T_world[views],
                               held.intrinsics[views], held.pixels[rows], config.target_depth_m).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([codes], 1.0)
        optimizer.step()
        tell(step + 1, config.iterations, loss.detach())
    return SceneCodes(codes.detach().cpu(), mean_m)


def with_dropout(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return features with a share of their numbers left out at random, and the others larger by as much."""
    kept = torch.rand(features.shape, generator=generator, device=features.device) >= share
    return features * kept / (1 - share)


def learning_rate_share(progress: float) -> float:
    """Return the learning rate over that at the top: one cycle along cosines."""
    low, share = (START_SHARE, progress / RISE) if progress < RISE else (END_SHARE, (1 - progress) / (1 - RISE))
    return low + (1 - low) * 0.5 * (1 - float(np.cos(np.pi * share)))


def localize_with_codes(network: CodeRegressor, scene: SceneCodes, features: Features, camera: Camera,
                        config: CodeMappingConfig = CodeMappingConfig()) -> PlainPose:
    """Return the pose of an image from its features; points that are less certain than most are left out."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        points_m, log_sigma = network(torch.from_numpy(features.descriptors).to(device), scene.codes.to(device))
    kept = certain(log_sigma.cpu(), config).numpy()
    return plain_pose(camera, features.keypoints_px[kept], (points_m.cpu() + scene.mean_m).numpy()[kept])


def certain(log_sigma: Tensor, config: CodeMappingConfig) -> Tensor:
    """Return which points (N,) are kept: those whose standard deviation is below a factor times a low quantile of
    all."""
    if len(log_sigma) < LEAST_POINTS:
        return torch.ones_like(log_sigma, dtype=torch.bool)
    sigma = log_sigma.exp()
    return sigma < config.filter_factor * torch.quantile(sigma, config.filter_quantile)
