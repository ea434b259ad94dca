from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.views import View
from cl_localization.research.nerf_cl.making import make_field
from cl_localization.research.nerf_cl.options import NerfConfig
from cl_localization.research.nerf_cl.paths import looking_at, orbit
from cl_localization.research.nerf_cl.pictures import (
    render_view,
    write_depth,
    write_depth_image,
    write_film,
    write_image,
)
from cl_localization.research.nerf_cl.scene_views import SYNTHETIC_BOX
from cl_localization.research.nerf_cl.similarity import ssim


def test_images_and_depth_maps_are_read_back_as_written(tmp_path: Path) -> None:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    write_image(image, tmp_path / "a.png")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
    depth = np.linspace(0, 3, 20, dtype=np.float32).reshape(4, 5)
    write_depth(depth, tmp_path / "a.pfm")
    assert np.array_equal(cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED), depth)
    write_depth(depth, tmp_path / "raw")
    assert np.array_equal(np.frombuffer((tmp_path / "raw").read_bytes(), "<f4").reshape(4, 5), depth)
    write_depth_image(depth, 3.0, tmp_path / "d.png")
    assert cv2.imread(str(tmp_path / "d.png")).shape == (4, 5, 3)


def test_a_film_has_all_its_images(tmp_path: Path) -> None:
    write_film([np.full((6, 6, 3), value, np.uint8) for value in (0, 120, 250)], tmp_path / "f.gif")
    with Image.open(tmp_path / "f.gif") as film:
        assert film.n_frames == 3 and film.size == (6, 6)


def test_an_orbit_looks_at_what_the_views_look_at(views: list[View]) -> None:
    for world_T_cam in orbit(views, 5):
        centre, axis = world_T_cam[:3, 3], world_T_cam[:3, 2]
        assert np.linalg.norm(np.cross(axis, centre)) < 0.1 and axis @ centre < 0
        assert np.allclose(world_T_cam[:3, :3] @ world_T_cam[:3, :3].T, np.eye(3)) and world_T_cam[2, 1] < 0
    assert np.isfinite(looking_at(np.array([0.0, 0, 3]), np.zeros(3))).all()


def test_a_view_of_an_empty_field_is_its_background(views: list[View]) -> None:
    config = NerfConfig()
    field = make_field(config, SYNTHETIC_BOX, 1.0, empty=True)
    image, depth = render_view(field, config, views[0].camera, views[0].world_T_cam)
    assert (
        image.shape == (16, 16, 3)
        and image.min() == 255
        and depth.shape == (16, 16)
        and 5 < depth.min() <= depth.max() <= 6
    )


def test_likeness_is_measured_as_usual() -> None:
    one = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert psnr_db(one, one) == 100.0 and psnr_db(torch.zeros(4), torch.full((4,), 0.1)) == pytest.approx(20.0)
    assert ssim(one, one) == pytest.approx(1.0) and ssim(one, 1 - one) < 0.1
