"""A field that lives beside a map: it is told nothing beforehand, goes on for ever, and stays within its memory."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cl_localization.config import LiveNerfConfig
from cl_localization.data import open_sequence
from cl_localization.data.frame import Frame
from cl_localization.errors import DataError, GeometryError
from cl_localization.geometry.camera import Camera
from cl_localization.nerf import learner
from cl_localization.nerf.compositing import psnr_db
from cl_localization.nerf.live import LiveField
from live_makers import SMALL, learned, room_frames
from nerf_makers import ROOM_HALF_SIZE, ball_camera


def likeness_db(field: LiveField, frame: Frame) -> float:
    small = field.reduced(frame)
    image = field.render(small.world_T_cam, small.camera).image
    return psnr_db(torch.from_numpy(image / 255), torch.from_numpy(small.image / 255))


def test_a_drive_through_a_room_is_learned_live_and_views_between_are_shown() -> None:
    room = open_sequence("sim:3?rooms=1&frames=40&size=64x48")
    frames = [room[index] for index in range(12)]
    held_out, seen = frames[2::4], [frame for index, frame in enumerate(frames) if index % 4 != 2]
    field = learned(seen, replace(SMALL, width_px=64, cell_size_m=0.08))
    assert np.mean([likeness_db(field, frame) for frame in seen]) > 18.0
    assert np.mean([likeness_db(field, frame) for frame in held_out]) > 16.5
    for frame in held_out:
        depth_m = field.render(frame.world_T_cam, frame.camera).depth_m
        known = (depth_m > 0) & (frame.depth_m > 0)
        assert known.mean() > 0.7 and np.median(np.abs(depth_m - frame.depth_m)[known]) < 0.15


@pytest.mark.long
def test_a_real_kitchen_is_learned_live(kitchen_folder: Path) -> None:
    kitchen = open_sequence(str(kitchen_folder))
    frames = [kitchen[index] for index in range(0, len(kitchen), 4)]
    held_out, seen = frames[3::8], [frame for index, frame in enumerate(frames) if index % 8 != 3]
    began_s = time.process_time()
    field = learned(seen, LiveNerfConfig(max_depth_m=5.0), steps=8)
    spent_s = time.process_time() - began_s
    psnrs_db = [np.mean([likeness_db(field, frame) for frame in some]) for some in (seen, held_out)]
    print(f"learned {len(seen)} frames: {psnrs_db[0]:.1f} dB, {len(held_out)} held out: {psnrs_db[1]:.1f} dB, "
          f"{spent_s:.0f} s of processor "
          f"time, {field.size_bytes / 1e6:.0f} MB")
    assert psnrs_db[1] > 18


def test_what_is_new_is_told_before_and_after_it_is_learned() -> None:
    frames, field = room_frames(20), LiveField(SMALL)
    assert math.isnan(field.before_db) and math.isnan(field.after_db)
    first_db = field.add(frames[0])
    assert first_db == field.before_db < 20 and math.isnan(field.after_db) and field.keyframes == 1
    for _ in range(SMALL.settle_steps):
        assert math.isnan(field.after_db)
        field.learn(0.0)
    assert field.after_db > first_db + 3
    settled_db = field.after_db
    assert field.add(frames[10]) < 20 and field.after_db == settled_db
    field.learn(0.0)
    field.add(frames[0])
    assert field.before_db > first_db + 3 and field.after_db != settled_db
    assert likeness_db(field, frames[0]) > first_db + 3


def test_learning_takes_the_time_it_is_given_and_stops_when_told() -> None:
    field = LiveField(SMALL)
    assert field.learn(1.0) == 0
    field.add(room_frames(1)[0])
    assert field.learn(0.0) == 1 and field.skipped == 0
    assert field.learn(3600.0, stop=lambda: field.steps >= 4) == 3 and field.steps == 4
    assert field.learn(3600.0, stop=lambda: True) == 0


def test_rendering_before_anything_is_known_is_grey_and_without_depth() -> None:
    seen = LiveField(SMALL).render(np.eye(4), ball_camera(8))
    assert (seen.image == 128).all() and not seen.depth_m.any() and not seen.opacity.any()


def test_rendering_is_done_in_pieces_by_turns_and_at_any_size() -> None:
    from contextlib import contextmanager
    field, turns = learned(room_frames(1)), []

    @contextmanager
    def turn():
        turns.append("in")
        yield
        turns.append("out")

    seen = field.render(np.eye(4), ball_camera(64), turn)
    assert seen.image.shape == (64, 64, 3) and seen.depth_m.shape == seen.opacity.shape == (64, 64)
    assert turns == ["in", "out"] * 4
    lens = Camera(640, 480, 500.0, 500.0, 320.0, 240.0, "plumb_bob", (-0.2, 0.05, 0.0, 0.0))
    small = field.render_camera(lens)
    assert (small.width_px, small.height_px, small.distortion_model) == (32, 24, "none")


def test_steps_that_are_not_finite_are_counted_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    field = learned(room_frames(2))
    before = field.field.density.detach().clone()
    true_loss = learner.Learner._loss
    monkeypatch.setattr(learner.Learner, "_loss", lambda self,
                        batch: tuple(part * math.nan for part in true_loss(self, batch)))
    assert field.learn(3600.0, stop=lambda: field.skipped == 2) == 2
    assert field.skipped == 2 and torch.equal(field.field.density, before)
    monkeypatch.undo()
    assert field.learn(0.0) == 1 and field.skipped == 2


def test_memory_stays_within_its_bounds_and_cells_grow_for_it() -> None:
    config = replace(SMALL, cell_size_m=0.05, field_mb=2.0, replay_mb=0.01)
    field = learned(room_frames(12), config, steps=2)
    assert field.field.size_bytes <= 2_000_000 and field.memory.buffer.size_bytes <= 10_000
    assert 0.05 < field.field.edge <= config.max_cell_size_m and field.restarts == 0 and field.keyframes == 12
    assert field.size_bytes == field.field.size_bytes + field.memory.buffer.size_bytes


def test_a_world_too_large_for_the_memory_begins_anew_where_the_robot_is() -> None:
    frames = room_frames(2)
    far = frames[1].world_T_cam.copy()
    far[:3, 3] += [5000.0, 0.0, 0.0]
    field = learned([frames[0], replace(frames[1], world_T_cam=far)], replace(SMALL, field_mb=3.0))
    assert field.restarts == 1 and field.keyframes == 2 and field.steps == 20 and len(field.memory) == 1
    assert likeness_db(field, replace(frames[1], world_T_cam=far)) > 20
    assert not field.render(frames[0].world_T_cam, frames[0].camera).opacity.any()


def test_without_depth_known_points_bound_what_is_seen() -> None:
    frames = room_frames(24)
    points = np.random.default_rng(0).uniform(-1, 1, (1200, 3))
    points[np.arange(1200), np.arange(1200) % 3] = np.tile([-1.0, 1.0], 600)  # on the six walls
    points *= ROOM_HALF_SIZE
    blind = [replace(frame, depth_m=None) for frame in frames]
    field = LiveField(SMALL)
    assert math.isnan(field.add(blind[0])) and math.isnan(field.add(blind[0], points[:3])) and field.keyframes == 0
    assert math.isnan(field.add(replace(blind[0], depth_m=np.zeros((32, 32), np.float32))))
    for frame in blind[:4]:
        field.add(frame, points)
        for _ in range(25):
            field.learn(0.0)
    assert field.keyframes == 4 and field.after_db > 20


def test_a_keyframe_without_depth_adds_no_cells_to_those_around_measured_surfaces() -> None:
    frames = room_frames(2)
    field = learned(frames[:1])
    cells = int(field.field.cells.used.sum())
    field.add(replace(frames[1], depth_m=None))
    assert (
        field.keyframes == 2
        and len(field.memory) == 2
        and int(field.field.cells.used.sum()) == cells
        and field.measured
    )
    assert field.learn(0.0) == 1


def test_bad_keyframes_are_refused_and_the_field_goes_on() -> None:
    frames, field = room_frames(2), LiveField(SMALL)
    field.add(frames[0])
    with pytest.raises(DataError, match="must have a pose"):
        field.add(replace(frames[1], world_T_cam=None))
    broken = frames[1].world_T_cam.copy()
    broken[0, 3] = math.nan
    with pytest.raises(GeometryError, match="pose of frame"):
        field.add(replace(frames[1], world_T_cam=broken))
    with pytest.raises(DataError, match="must be a finite 4x4 matrix"):
        field.render(broken, frames[0].camera)
    assert field.keyframes == 1 and field.learn(0.0) == 1


def test_a_memory_too_small_for_one_keyframe_says_so() -> None:
    with pytest.raises(DataError, match="must fit into the buffer's 1000 bytes"):
        LiveField(replace(SMALL, replay_mb=0.001)).add(room_frames(1)[0])
    field = LiveField(replace(SMALL, field_mb=1.0, cell_size_m=0.002, max_cell_size_m=0.003))
    with pytest.raises(DataError, match="must hold what one keyframe shows in cells of at most 0.003 m"):
        field.add(room_frames(1)[0])


def test_the_same_stream_is_learned_the_same() -> None:
    one, other = (learned(room_frames(3)) for _ in range(2))
    assert torch.equal(one.field.density, other.field.density) and one.before_db == other.before_db
