"""Learning a scene with ACE: features of posed images into a shuffled buffer, then many small steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.features import Encoder, Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.research.ace.head import AceHead, ClampSchedule, reprojection_loss
from cl_localization.research.ace.options import AceConfig
from cl_localization.research.plain_pose import PlainPose, plain_pose


@dataclass(frozen=True, eq=False)
class AceBuffer:
    """What a head learns from: features with where their camera was.

    Attributes:
        features: (N, D); pixels: (N, 2) undistorted; views: (N,) row of cam_T_world (V, 3, 4) and intrinsics (V, 4).
    """

    features: Tensor
    pixels: Tensor
    views: Tensor
    cam_T_world: Tensor
    intrinsics: Tensor

    @classmethod
    def of(cls, frames: Iterable[Frame], encoder: Encoder) -> AceBuffer:
        """Encode posed frames.

        Args:
            encoder: of `token_encoder`: with descriptors of unit length a head learns slowly.

        Raises:
            DataError: no frame, a frame without a pose, or no feature at all.
        """
        features, pixels, views, poses, intrinsics = [], [], [], [], []
        for frame in frames:
            if frame.world_T_cam is None:
                raise DataError(f"frame {frame.name or frame.stamp_ns}", "must have a pose to be mapped",
                                remedy="localize it instead")
            found = encoder.encode(frame.image)
            features.append(found.descriptors)
            pixels.append(frame.camera.undistort(found.keypoints_px))
            views.append(np.full(len(found), len(poses)))
            poses.append(se3.inverse(frame.world_T_cam)[:3])
            intrinsics.append([frame.camera.fx_px, frame.camera.fy_px, frame.camera.cx_px, frame.camera.cy_px])
        if not sum(map(len, features)):
            raise DataError("frames", "must show features to learn from", f"{len(poses)} frames without any")
        float_tensors = [torch.from_numpy(np.concatenate(each).astype(np.float32)) for each in (features, pixels)]
        return cls(*float_tensors, torch.from_numpy(np.concatenate(views)),
                   torch.from_numpy(np.stack(poses).astype(np.float32)),
                   torch.tensor(intrinsics, dtype=torch.float32))

    def on(self, device: torch.device) -> AceBuffer:
        """Return the same buffer on a device."""
        return AceBuffer(*(tensor.to(device) for tensor in vars(self).values()))

    def mean_centre_m(self) -> Tensor:
        """Return the mean of the cameras' centres (3,)."""
        rotations, translations = self.cam_T_world[:, :, :3], self.cam_T_world[:, :, 3:]
        return -(rotations.transpose(1, 2) @ translations)[:, :, 0].mean(0)


def learn_head(buffer: AceBuffer, config: AceConfig = AceConfig(),
               on_step: Callable[[float, float], None] = lambda progress, loss: None,
               clock: Callable[[], float] = time.monotonic) -> AceHead:
    """Return a head learned from a buffer within the time and steps of the configuration.

    The schedule of learning rate and clamp follows whichever of time and steps is further on.

    Args:
        on_step: called with progress (0 to 1) and loss of each step.
        clock: gives the seconds that the time is measured by.
    """
    generator = torch.Generator().manual_seed(config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = AceHead(buffer.features.shape[1], buffer.mean_centre_m(), config.head_blocks, config.width)
    optimizer = torch.optim.AdamW(head.parameters(), lr=config.max_learning_rate)
    schedule = ClampSchedule()
    started_s = clock()
    step, progress = 0, 0.0
    while progress < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = config.max_learning_rate * one_cycle(progress)
        rows = torch.randint(len(buffer.features), (config.batch_size,), generator=generator)
        views = buffer.views[rows]
        loss = reprojection_loss(head(buffer.features[rows]), buffer.cam_T_world[views], buffer.intrinsics[views],
                                 buffer.pixels[rows], progress, schedule)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        step += 1
        on_step(progress, float(loss.detach()))
        progress = max(step / config.max_steps, (clock() - started_s) / config.max_seconds)
    return head.eval()


def one_cycle(progress: float) -> float:
    """Return the learning rate over its maximum: from 1/25 up in the first 30 %, then down to 1/250,000, both along a
    cosine."""
    start, end, rise = 1 / 25, 1 / 250_000, 0.3
    if progress < rise:
        return start + (1 - start) * 0.5 * (1 - np.cos(np.pi * progress / rise))
    return end + (1 - end) * 0.5 * (1 + np.cos(np.pi * (progress - rise) / (1 - rise)))


def localize_with_head(head: AceHead, features: Features, camera: Camera) -> PlainPose:
    """Return the pose of an image whose features, of the encoder that the head learned with, are known."""
    with torch.inference_mode():
        points_m = head(torch.from_numpy(features.descriptors)).numpy()
    return plain_pose(camera, features.keypoints_px, points_m)
