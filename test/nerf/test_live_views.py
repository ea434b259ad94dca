"""Frames as a live field sees them, and what of the world they see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cl_localization.data.frame import Frame
from cl_localization.errors import DataError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.cells import Grid
from cl_localization.nerf.views import reduced, seen_cells, seen_points, size_px
from nerf_makers import ball_camera, room_views

LENSES = [("plumb_bob", (-0.25, 0.08, 0.001, -0.001)), ("equidistant", (0.05, -0.01, 0.002, 0.0))]


def test_frames_are_made_small_but_never_large() -> None:
    view = room_views(1, 48)[0]
    frame = Frame(7, view.image, view.camera, view.depth, view.world_T_cam, name="a")
    small = reduced(frame, 24, 6.0)
    assert (
        small.image.shape == (24, 24, 3)
        and small.depth_m.shape == (24, 24)
        and (small.stamp_ns, small.name) == (7, "a")
    )
    assert reduced(frame, 1000, 6.0).image is frame.image and size_px(view.camera, 1000) == (48, 48)
    assert reduced(small, 24, 6.0).image is small.image
    assert size_px(Camera(640, 1, 500.0, 500.0, 320.0, 0.5), 16) == (16, 1)


def test_depth_that_is_of_no_use_is_unknown() -> None:
    view = room_views(1, 16)[0]
    depth = np.full((16, 16), 2.0, np.float32)
    depth[0, :5] = np.nan, np.inf, -1.0, 0.01, 7.0
    frame = Frame(0, view.image, view.camera, depth, view.world_T_cam)
    assert (reduced(frame, 16, 6.0).depth_m == 0).sum() == 5
    assert reduced(replace(frame, depth_m=np.full((16, 16), 9.0, np.float32)), 16, 6.0).depth_m is None


@pytest.mark.parametrize(("model", "coefficients"), LENSES)
def test_a_lens_is_straightened(model: str, coefficients: tuple[float, ...]) -> None:
    lens = Camera(64, 48, 40.0, 40.0, 32.0, 24.0, model, coefficients)
    rows, columns = np.indices((48, 64)).reshape(2, -1) + 0.5
    direction = lens.normalize(np.stack([columns, rows], axis=1)).reshape(48, 64, 2)
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., :2] = np.clip(128 + 100 * direction, 0, 255)
    small = reduced(Frame(0, image, lens, np.full((48, 64), 2.0, np.float32), np.eye(4)), 64, 6.0)
    assert small.camera == lens.pinhole()
    straight = lens.pinhole().normalize(np.stack([columns, rows], axis=1)).reshape(48, 64, 2)
    inner = (slice(8, 40), slice(8, 56))
    assert np.abs(small.image[..., :2][inner] - (128 + 100 * straight[inner])).max() < 4
    assert (small.depth_m[inner] == 2.0).all()


def test_a_frame_without_a_pose_is_refused() -> None:
    with pytest.raises(DataError, match="must have a pose"):
        reduced(Frame(0, np.zeros((8, 8, 3), np.uint8), ball_camera(8)), 8, 6.0)


def test_known_points_in_view_bound_what_is_seen_and_cells_beyond_are_not() -> None:
    view = replace(room_views(1, 16)[0], world_T_cam=np.eye(4), depth=None)
    rng = np.random.default_rng(0)
    ahead = np.column_stack([rng.uniform(-0.2, 0.2, (100, 2)), np.full(100, 2.0)])
    everywhere = np.concatenate([ahead, -ahead, ahead * 5, ahead + [50.0, 0, 0]])
    assert np.array_equal(seen_points(view, 6.0, everywhere), ahead)
    assert len(seen_points(view, 6.0, ahead[:19])) == len(seen_points(view, 6.0, None)) == 0
    grid = Grid((-2.0, -2.0, -4.0), 0.5, (9, 9, 17))
    seen = seen_cells(grid, view, ahead).numpy()
    assert seen[3:5, 3:5, 9:12].all() and not seen[..., :8].any() and not seen[..., 13:].any() and not seen[0].any()
