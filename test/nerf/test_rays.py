from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from cl_localization.errors import DataError
from cl_localization.nerf.rays import RayBundle, camera_rays, seen_rays, tightened_to_box, up_to_surfaces
from cl_localization.research.nerf_cl.paths import looking_at
from nerf_makers import ball_camera


def test_rays_pass_through_the_centres_of_pixels() -> None:
    camera = ball_camera(8)
    world_T_cam = looking_at(np.array([4.0, 0.5, 1.0]), np.zeros(3))
    rays = camera_rays(camera, world_T_cam, 2.0, 6.0)
    points = (rays.origins + 3.0 * rays.directions).double().numpy()
    seen = camera.project((points - world_T_cam[:3, 3]) @ world_T_cam[:3, :3])
    rows, columns = np.indices((8, 8)).reshape(2, -1) + 0.5
    assert np.allclose(seen, np.stack([columns, rows], axis=1), atol=1e-4)
    assert torch.allclose(rays.directions.norm(dim=1), torch.ones(64))
    assert set(rays.near.tolist()) == {2.0} and set(rays.far.tolist()) == {6.0}


def test_depth_along_the_axis_becomes_distance_along_the_ray() -> None:
    rays = seen_rays(ball_camera(4), np.eye(4), 0.1, 9.0, np.full((4, 4, 3), 255, np.uint8),
                     np.full((4, 4), 2.0, np.float32))
    assert torch.allclose(rays.depths * rays.directions[:, 2], torch.full((16,), 2.0), atol=1e-5)
    assert torch.equal(rays.colours, torch.ones(16, 3))
    assert rays.centredness.argmax() in (5, 6, 9, 10) and math.isclose(float(rays.centredness[0]), math.exp(-1),
                                                                       abs_tol=1e-6)


@pytest.mark.parametrize("broken", [np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)])
def test_a_pose_that_is_none_is_refused(broken: np.ndarray) -> None:
    with pytest.raises(DataError, match="must be a finite 4x4 matrix that is not singular"):
        camera_rays(ball_camera(4), broken, 0.1, 1.0, "x.png")


def test_rays_are_cut_to_a_box() -> None:
    rays = RayBundle(torch.tensor([[-5.0, 0, 0], [-5.0, 3, 0], [0.0, 0, 0]]), torch.tensor([[1.0, 0, 0]] * 3),
                     torch.zeros(3),
                     torch.full((3,), 100.0))
    near, far = tightened_to_box(rays, torch.full((3,), -1.0), torch.ones(3))
    assert near.tolist() == [4.0, *near.tolist()[1:2], 0.0] and far.tolist()[0] == 6.0 and far.tolist()[2] == 1.0
    assert far[1] == near[1]


def test_bundles_are_joined_and_picked() -> None:
    rays = camera_rays(ball_camera(4), np.eye(4), 0.1, 1.0)
    joined = RayBundle.joined([rays.rows(slice(0, 5)), rays.rows(torch.arange(5, 16))])
    assert len(joined) == 16 and torch.equal(joined.directions, rays.directions)


def test_rays_end_behind_measured_surfaces() -> None:
    depth = np.zeros((4, 4), np.float32)
    depth[1, 1] = 2.0
    rays = seen_rays(ball_camera(4), np.eye(4), 0.1, 9.0, np.zeros((4, 4, 3), np.uint8), depth)
    far = up_to_surfaces(rays, 0.5).far
    assert far[5] == rays.depths[5] + 0.5 and set(far[torch.arange(16) != 5].tolist()) == {9.0}
