"""Views drawn from keyframes with depth: in a box with coloured walls, and with made-up surfaces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cl_localization.config import LiveNerfConfig
from cl_localization.geometry.camera import Camera
from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.keyframe_views import Source, chosen, drawn, filled, source_of, went_on
from cl_localization.nerf.live import LiveField
from cl_localization.nerf.live_file import load_live, save_live
from cl_localization.nerf.views import View
from live_makers import room_field, room_frames
from nerf_makers import room_views

CAMERA = Camera(40, 30, 40.0, 40.0, 20.0, 15.0)


def moved(x_m: float = 0.0, z_m: float = 0.0) -> np.ndarray:
    world_T_cam = np.eye(4)
    world_T_cam[[0, 2], 3] = x_m, z_m
    return world_T_cam


def wall(depth_m: float, colour: int, world_T_cam: np.ndarray | None = None) -> Source:
    """A wall of one colour that fills the view."""
    return Source(CAMERA, np.eye(4) if world_T_cam is None else world_T_cam, np.full((30, 40, 3), colour, np.uint8),
                  np.full((30, 40), depth_m, np.float32))


def test_a_room_is_shown_from_poses_between_its_keyframes() -> None:
    frames = room_frames(40, 64)
    field = room_field([frame for number, frame in enumerate(frames) if number % 5])
    for frame in frames[::10]:
        seen = field.render(frame.world_T_cam, frame.camera)
        known = seen.opacity > 0
        likeness_db = psnr_db(torch.from_numpy(seen.image[known] / 255), torch.from_numpy(frame.image[known] / 255))
        assert known.mean() > 0.6 and likeness_db > 20
        assert np.median(np.abs(seen.depth_m - frame.depth_m)[known]) < 0.05


def test_a_keyframe_is_shown_from_its_own_pose_as_it_is() -> None:
    view = room_views(1, 32)[0]
    image, depth_m, known = drawn([source_of(view, view.camera.fx_px)], view.world_T_cam, view.camera)
    assert known.all() and np.abs(image.astype(int) - view.image).mean() < 2
    assert np.abs(depth_m - view.depth).mean() < 0.02


def test_what_is_nearer_hides_what_is_behind_and_what_no_keyframe_shows_is_unknown() -> None:
    near, far = wall(1.0, 200), wall(3.0, 50)
    left = replace(near, depth_m=np.where(np.arange(40) < 20, near.depth_m, np.float32(0)))
    image, depth_m, known = drawn([far, left], np.eye(4), CAMERA)
    assert known.all() and (image[:, :18] == 200).all() and (image[:, 22:] == 50).all()
    assert depth_m[0, 0] == pytest.approx(1.0) and depth_m[0, -1] == pytest.approx(3.0)
    known = drawn([left], np.eye(4), CAMERA)[2]
    assert known[:, :19].all() and not known[:, 22:].any()


def test_the_nearer_camera_counts_more_and_two_that_are_alike_are_blended() -> None:
    close, away = wall(2.0, 100, moved(0.02)), wall(2.0, 200, moved(-0.8))
    assert drawn([away, close], np.eye(4), CAMERA)[0][15, 20, 0] == pytest.approx(100, abs=2)
    pair = [wall(2.0, 100, moved(0.3)), wall(2.0, 200, moved(-0.3))]
    assert drawn(pair, np.eye(4), CAMERA)[0][15, 20, 0] == pytest.approx(150, abs=5)


def test_keyframes_are_chosen_for_what_the_others_do_not_show() -> None:
    half = wall(2.0, 1)
    left, right = (replace(half, depth_m=np.where((np.arange(40) < 20) == side, half.depth_m, np.float32(0)))
                   for side in (True, False))
    wide, again = replace(left, world_T_cam=moved(0.01)), replace(left, world_T_cam=moved(0.02))
    assert right in chosen([left, wide, again, right], np.eye(4), CAMERA, 2)
    assert len(chosen([left], np.eye(4), CAMERA, 4)) == 1


def test_gaps_of_depth_get_that_of_the_nearest_measured_pixel_and_colours_go_on_a_little() -> None:
    depth_m = np.ones((10, 30), np.float32)
    depth_m[:, 20:], depth_m[4:6, 4:6] = 3.0, 0.0
    assert (filled(depth_m)[4:6, 4:6] == 1.0).all() and filled(np.zeros((2, 2), np.float32)).max() == 0.0
    known = np.arange(30) < 5 * np.ones((10, 1))
    image = went_on(np.where(known[..., None], np.uint8(90), np.uint8(128)) * np.ones(3, np.uint8), known)
    assert (image[:, 6] == 90).all() and (image[:, 20] == 128).all()


def test_a_smaller_view_is_drawn_from_smaller_keyframes() -> None:
    view = View("wall", CAMERA, np.eye(4), np.zeros((30, 40, 3), np.uint8), np.ones((30, 40), np.float32))
    source = source_of(view, 20.0)
    assert source.image.shape == (15, 20, 3) and source.camera.fx_px == 20.0
    assert source_of(view, 35.0).image.shape == (30, 40, 3)


def test_a_view_with_distortion_is_drawn_too() -> None:
    lens = Camera(40, 30, 40.0, 40.0, 20.0, 15.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
    image, depth_m, known = drawn([wall(2.0, 100)], np.eye(4), lens)
    assert known[10:20, 10:30].all() and depth_m[15, 20] == pytest.approx(2.0, abs=0.01) and image[15, 20, 0] == 100


def test_nothing_is_learned_of_keyframes_with_depth_and_they_are_saved_without_a_field(tmp_path) -> None:
    field, frame = room_field(), room_frames(side_px=64)[0]
    assert field.field is None and not field.learns and field.learn(0.0) == 0 and field.after_db > 25
    save_live(field, tmp_path / "x.safetensors", "kitchen")
    again, owner = load_live(tmp_path / "x.safetensors", LiveNerfConfig(width_px=48))
    assert owner == "kitchen" and again.keyframes == 8
    one, other = (each.render(frame.world_T_cam, frame.camera) for each in (field, again))
    assert (one.image == other.image).all() and (one.depth_m == other.depth_m).all()


def test_the_field_fills_what_keyframes_do_not_show() -> None:
    frames, field = room_frames(side_px=32), LiveField(LiveNerfConfig(width_px=32, cell_size_m=0.15, rays=512))
    field.add(frames[0])
    unseen = replace(frames[4], depth_m=None)
    points = np.random.default_rng(0).uniform(-1, 1, (8000, 3))
    before = field.render(unseen.world_T_cam, unseen.camera)
    assert not np.isnan(field.add(unseen, points)) and field.learns
    for _ in range(10):
        field.learn(0.0)
    after = field.render(unseen.world_T_cam, unseen.camera)
    assert (before.opacity > 0).mean() < 0.5 < (after.opacity > 0.01).mean()
    assert field.add(unseen, np.zeros((0, 3))) != field.before_db or field.keyframes == 2
