"""Images that are turned and zoomed see every point where it was; scenes change by a similarity."""

from __future__ import annotations

import numpy as np

from cl_localization.data import open_sequence
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project
from cl_localization.research.ace_g.augmentation import augmented_frame, scene_change
from cl_localization.research.ace_g.scenes import feature_points


def test_a_turned_and_zoomed_image_sees_every_point_where_it_was():
    frame = open_sequence("sim:3?rooms=1&frames=1&size=160x120&noise=0")[0]
    for seed in range(3):
        changed = augmented_frame(frame, np.random.default_rng(seed))
        assert changed.camera.fx_px != frame.camera.fx_px
        pixels = np.stack(np.meshgrid(np.arange(5, 155, 10), np.arange(5, 115, 10)), -1).reshape(-1, 2) + 0.5
        none = np.zeros(len(pixels), np.float32)
        points_m = feature_points(changed, Features(pixels.astype(np.float32), none[:, None], none))
        known = np.isfinite(points_m).all(axis=1)
        before_px, depth_m = project(frame.camera, se3.inverse(frame.world_T_cam), points_m[known])
        columns, rows = before_px.astype(int).T
        inside = (columns >= 0) & (columns < 160) & (rows >= 0) & (rows < 120)
        assert inside.mean() > 0.9 and known.mean() > 0.3
        measured_m = frame.depth_m[rows[inside], columns[inside]]
        assert np.median(np.abs(measured_m - depth_m[inside])) < 0.02


def test_what_comes_from_beyond_the_border_has_no_depth():
    frame = open_sequence("sim:3?rooms=1&frames=1&size=160x120")[0]
    changes = [augmented_frame(frame, np.random.default_rng(seed)) for seed in range(4)]
    smaller = min(changes, key=lambda one: one.camera.fx_px)
    assert smaller.camera.fx_px < frame.camera.fx_px and smaller.depth_m[0, 0] == 0


def test_scenes_are_turned_scaled_and_shifted_each_time_another_way():
    one, other = (scene_change(np.random.default_rng(seed)) for seed in (0, 1))
    for change in (one, other):
        scale = np.cbrt(np.linalg.det(change.linear))
        assert 0.5 <= scale <= 2
        np.testing.assert_allclose(change.linear @ change.linear.T, scale**2 * np.eye(3), atol=1e-5)
    assert not np.allclose(one.linear, other.linear) and not np.allclose(one.shift_m, other.shift_m)
