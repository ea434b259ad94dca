"""ACE's head: published size, loss and schedule, and a scene learned from poses alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.research.ace.head import AceHead, ClampSchedule, dehomogenised, reprojection_loss
from cl_localization.research.ace.options import AceConfig
from cl_localization.research.ace.training import AceBuffer, learn_head, localize_with_head, one_cycle
from core_makers import CAMERA, look_at, noisy, unit_vectors

DIM = 32


class PointsEncoder:
    """Sees points of a wall with fixed descriptors, slightly changed in every image; the image holds the view's
    number."""

    name, dim = "points", DIM

    def __init__(self, poses: list[np.ndarray]) -> None:
        self.random = np.random.default_rng(0)
        self.poses = poses
        self.points_m = self.random.uniform([-2, -1.5, 3.5], [2, 1.5, 4.5], (150, 3))
        self.descriptors = unit_vectors(self.random, len(self.points_m), DIM)

    def encode(self, image: np.ndarray) -> Features:
        points_cam = se3.transform(se3.inverse(self.poses[image[0, 0, 0]]), self.points_m)
        pixels = CAMERA.project(points_cam)
        seen = (points_cam[:, 2] > 0.1) & CAMERA.contains(pixels)
        return Features(pixels[seen].astype(np.float32), noisy(self.random, self.descriptors[seen], 0.99),
                        np.ones(seen.sum(), np.float32))


def scene() -> tuple[PointsEncoder, list[Frame]]:
    """Views of a wall from different places, and the encoder that sees its points."""
    poses = [look_at((x, y, 0.0), (0.5 * x, 0.0, 4.0)) for x in (-1.0, -0.3, 0.4, 1.0) for y in (-0.5, 0.5)]
    images = [np.full((CAMERA.height_px, CAMERA.width_px, 3), number, np.uint8) for number in range(len(poses))]
    return PointsEncoder(poses), [Frame(number, image, CAMERA, None, pose) for number,
                                  (image, pose) in enumerate(zip(images, poses))]


def test_the_head_has_the_published_number_of_parameters() -> None:
    assert sum(each.numel() for each in AceHead(512, torch.zeros(3)).parameters()) == 2_103_300


def test_a_raw_scale_of_zero_is_one_and_scales_are_bounded() -> None:
    raw = torch.tensor([[1.0, 2.0, 3.0, 0.0], [1.0, 0.0, 0.0, -1e6], [1.0, 0.0, 0.0, 1e6]])
    assert torch.allclose(dehomogenised(raw), torch.tensor([[1.0, 2.0, 3.0], [4.0, 0.0, 0.0], [0.01, 0.0, 0.0]]),
                          atol=1e-5)


def test_the_loss_is_a_clamped_reprojection_error_in_front_and_a_pull_to_the_ray_behind() -> None:
    cam_T_world, intrinsics = torch.eye(4)[None, :3], torch.tensor([[100.0, 100.0, 50.0, 50.0]])
    pixels, schedule = torch.tensor([[50.0, 50.0]]), ClampSchedule()
    assert schedule.soft_px(0.0) == 51.0 and schedule.soft_px(1.0) == 1.0

    def loss(point) -> float:
        return float(reprojection_loss(torch.tensor([point]), cam_T_world, intrinsics, pixels, 0.0, schedule))

    assert loss([0.0, 0.0, 2.0]) == 0.0
    assert loss([0.2, 0.0, 2.0]) == pytest.approx(51 * np.tanh(10 / 51), rel=1e-5)
    assert loss([0.0, 0.0, -2.0]) == pytest.approx(12.0)


def test_the_learning_rate_rises_then_falls() -> None:
    assert [round(one_cycle(progress), 3) for progress in (0.0, 0.3, 1.0)] == [0.04, 1.0, 0.0]


def test_a_scene_is_learned_from_poses_alone_and_new_views_are_localized() -> None:
    encoder, frames = scene()
    head = learn_head(AceBuffer.of(frames, encoder), AceConfig(width=128, max_steps=300, max_seconds=1000.0,
                                                               batch_size=256))
    pose = look_at((0.1, 0.1, 0.3), (0.0, 0.1, 4.0))
    encoder.poses.append(pose)
    query = replace(frames[0], image=np.full_like(frames[0].image, len(frames)))
    found = localize_with_head(head, encoder.encode(query.image), query.camera)
    error_m, error_deg = se3.pose_error(found.world_T_cam, pose)
    assert error_m < 0.3 and error_deg < 6 and found.inliers > 20


def test_frames_without_poses_or_features_are_refused() -> None:
    encoder, frames = scene()
    with pytest.raises(DataError, match="must have a pose to be mapped"):
        AceBuffer.of([replace(frames[0], world_T_cam=None)], encoder)
    encoder.points_m[:] = [0, 0, -5]
    with pytest.raises(DataError, match="must show features to learn from"):
        AceBuffer.of(frames, encoder)
